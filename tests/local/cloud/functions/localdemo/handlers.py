"""Handlers that show what they are given, and do what the request asks for."""

from __future__ import annotations

import json
import threading
from typing import Any

AUTHORIZED: list[dict[str, Any]] = []
CONSUMED: list[dict[str, Any]] = []
POISON: set[str] = set()
RELEASED = threading.Event()


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer with the event and what the context says."""
    seen = {
        "event": event,
        "function": context.function_name,
        "memory": context.memory_limit_in_mb,
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
    }
    return {"statusCode": 200, "body": json.dumps(seen)}


def answer(event: dict[str, Any], _context: Any) -> Any:
    """Answer with whatever the body says."""
    asked = json.loads(event["body"])
    if asked == "raise":
        message = "asked to fail"
        raise RuntimeError(message)
    return asked


def slow(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take longer than the integration waits: until `RELEASED` is set."""
    RELEASED.wait(30)
    return {"statusCode": 200}


def authorize(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Allow `good`; `denied`, `none` and `wide` get what they say; `broken` fails; others 401."""
    AUTHORIZED.append(event)
    credential = (event["headers"] or {}).get("Authorization", "none")
    if credential == "broken":
        message = "the authorizer broke"
        raise RuntimeError(message)
    if credential == "malformed":
        return {"principalId": "x"}
    stage = event["methodArn"].split("/")[0] + "/" + event["methodArn"].split("/")[1]
    resources = {"good": event["methodArn"], "wide": f"{stage}/*", "denied": "*", "none": "*"}
    if credential not in resources:
        message = "Unauthorized"
        raise Exception(message)  # noqa: TRY002 - the class does not matter to API Gateway
    effect = "Allow" if credential in ("good", "wide") else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resources[credential]}
    return {
        "principalId": credential,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"message": f"{credential} may not", "number": 7, "flag": True},
    }


def consume(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Keep the event; batches with a poisoned key fail at that record."""
    CONSUMED.append(event)
    for record in event.get("Records", ()):
        key = record["dynamodb"]["Keys"]["PK"]["S"]
        if key in POISON:
            if key.endswith("raise"):
                message = f"poisoned by {key}"
                raise RuntimeError(message)
            failed = {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            return {"batchItemFailures": [failed]}
    return {"batchItemFailures": []}
