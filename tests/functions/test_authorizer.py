"""The authorizer: who is calling, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

import authorizer
from local.events import Request, authorizer_event
from local.responses import GatewayError, GatewayResponses
from tests.support import build
from tests.support.api import MASTER_KEY, call
from tests.support.environment import ROOT, template
from tests.support.items import all_items
from tests.support.refusals import MALFORMED, NO_KEY, body, no_virtual_key, unknown
from tollgate.auth import tokens
from tollgate.auth.credentials import key_id_of
from tollgate.settings import settings

STAGE = "arn:aws:execute-api:us-east-1:123456789012:localapi00/prod/*/*"
OWNERS = ("team_id", "team_uid", "organization_id", "organization_uid", "user_id", "user_uid")
NOBODY = dict.fromkeys(("key_id", *OWNERS), "")


def denied(told: tuple[str, str, str]) -> dict[str, Any]:
    """The Deny that API Gateway's answer is filled with: the native API's words, and those of LiteLLM's clients."""
    return {
        "principalId": "anonymous",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": STAGE}],
        },
        "context": {
            "message": "Invalid or missing API key",
            "error_message": told[0],
            "error_type": told[1],
            "error_param": told[2],
        },
    }


@pytest.fixture(autouse=True)
def team(empty_table: None) -> str:
    """A key of a team."""
    build.organization()
    return str(build.team()["virtual_key"])


def ask(path: str = "/api/teams", **headers: str) -> dict[str, Any]:
    request = Request(
        method="GET",
        path=path,
        query="",
        headers=[(name.replace("_", "-"), value) for name, value in headers.items()],
        source_ip="192.0.2.7",
        stage="prod",
        resource=path,
    )
    return authorizer.handler(authorizer_event(request), None)


def allowed(principal: str, context: dict[str, str]) -> dict[str, Any]:
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": STAGE}],
        },
        "context": context,
    }


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", f"Bearer {MASTER_KEY}"),
        ("authorization", f"bearer   {MASTER_KEY}  "),
        ("X-Admin-Key", MASTER_KEY),
        ("x-admin-key", f" {MASTER_KEY} "),
        ("x-litellm-api-key", MASTER_KEY),
        ("x-litellm-api-key", f"Bearer {MASTER_KEY}"),
    ],
)
def test_the_master_key(header: str, value: str) -> None:
    assert ask(**{header: value}) == allowed("master", {"kind": "master"} | NOBODY)


@pytest.mark.parametrize("path", ["/api/teams", "/v1/chat/completions"])
def test_a_virtual_key(path: str, team: str) -> None:
    uids = {item["kind"]: item.get("uid", "") for item in all_items()}
    context = {
        "kind": "key",
        "key_id": key_id_of(team),
        "team_id": "acme-dev",
        "team_uid": uids["team"],
        "organization_id": "org_acme",
        "organization_uid": uids["organization"],
        "user_id": "",
        "user_uid": "",
    }
    assert ask(path, Authorization=f"Bearer {team}") == allowed(key_id_of(team), context)


def test_a_known_key_passes_whatever_its_state(team: str) -> None:
    call("POST", "/api/teams/acme-dev/suspend")
    call("PUT", "/api/organizations/org_acme/status", {"status": "suspended"})
    call("DELETE", f"/api/teams/acme-dev/keys/{key_id_of(team)}")
    answer = ask("/v1/models", Authorization=f"Bearer {team}")
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"


def test_what_models_are_looked_up_by_is_management() -> None:
    """Also where its path begins as those of calls do."""
    for path in ("/v1/model/info", "/model/info"):
        assert ask(path, **{"x-litellm-api-key": MASTER_KEY})["principalId"] == "master"
        assert ask(path, **{"x-litellm-api-key": "sk-unknown"}) == denied(unknown("sk-unknown"))


REFUSED: list[tuple[dict[str, str], tuple[str, str, str]]] = [
    ({}, NO_KEY),
    ({"Authorization": ""}, NO_KEY),
    ({"Authorization": "Bearer"}, MALFORMED),
    ({"Authorization": "Bearer "}, MALFORMED),
    ({"Authorization": f"Basic {MASTER_KEY}"}, MALFORMED),
    ({"Authorization": MASTER_KEY}, MALFORMED),
    ({"Authorization": f"Bearer {'x' * 5000}"}, MALFORMED),
    ({"x-litellm-api-key": "sk-" + "x" * 5000}, MALFORMED),
    ({"Authorization": "Bearer sk-unknown"}, unknown("sk-unknown", "sk-...nown")),
    ({"Authorization": f"Bearer {MASTER_KEY}x"}, unknown(f"{MASTER_KEY}x", f"sk-...{MASTER_KEY[-3:]}x")),
    ({"Authorization": "Bearer sk-a#b"}, unknown("sk-a#b", "sk-...-a*b")),
    ({"Authorization": "Bearer sk-\xe4\xf6"}, unknown("sk-\xe4\xf6", "sk-...k-**")),
    ({"Authorization": 'Bearer sk-"\\}{'}, unknown('sk-"\\}{', "sk-...****")),
    ({"Authorization": "Bearer abcd-some-secret-wxyz"}, no_virtual_key("abcd****wxyz")),
    ({"X-Admin-Key": '"ab\\"-some-secret-wxyz'}, no_virtual_key("*ab*****wxyz")),
    ({"api-key": "too-short"}, no_virtual_key("****")),
]
STRANGERS = [headers for headers, _ in REFUSED]


@pytest.mark.parametrize(("headers", "told"), REFUSED, ids=str)
def test_management_denies_and_says_why(headers: dict[str, str], told: tuple[str, str, str]) -> None:
    assert ask(**headers) == denied(told)
    # API Gateway puts the context into its answer as it is.
    context = GatewayError("ACCESS_DENIED", None, ask(**headers)["context"])
    shown = json.loads(GatewayResponses(template.gateway_responses()).render(context, {"requestId": "r"}).body)
    assert shown["detail"] == "Invalid or missing API key"
    assert {"error": shown["error"]} == body(told)


@pytest.mark.parametrize(
    "headers", [*STRANGERS, {"X-Admin-Key": MASTER_KEY}, {"x-litellm-api-key": MASTER_KEY}], ids=str
)
def test_the_data_plane_raises_so_that_nothing_is_cached(headers: dict[str, str]) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask("/v1/chat/completions", **headers)


TOKEN_ID = "an id that only the token has"


def token(user_id: str = "ana", secret: str | None = None) -> str:
    return tokens.issue(user_id, TOKEN_ID, datetime.now(UTC), secret or settings().session_secret)


@pytest.mark.parametrize("path", ["/api/teams", "/api/jobs/create", "/v1/chat/completions"])
def test_a_sessions_token_is_identified_everywhere(path: str) -> None:
    """Where it may not be used the functions say so themselves, with 403 (Q-09)."""
    session_id = tokens.session_id_of(TOKEN_ID)
    context = {"kind": "session", "session_id": session_id} | NOBODY | {"user_id": "ana"}
    answer = ask(path, Authorization=f"Bearer {token()}")
    assert answer == allowed(session_id, context)
    assert TOKEN_ID not in json.dumps(answer)


def test_a_forged_token_is_no_credential() -> None:
    forged = token(secret="another-secret-of-at-least-32-bytes")
    assert ask(Authorization=f"Bearer {forged}") == denied(no_virtual_key(f"{forged[:4]}****{forged[-4:]}"))
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask("/v1/chat/completions", Authorization=f"Bearer {forged}")


def test_an_event_without_headers() -> None:
    event = authorizer_event(Request("GET", "/api/teams", "", [], "192.0.2.7", "prod")) | {"headers": None}
    assert authorizer.handler(event, None) == denied(NO_KEY)


def test_one_line_of_log_without_the_credential(team: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for secret in (team, MASTER_KEY, "sk-canary-unknown"):
        ask(Authorization=f"Bearer {secret}")
        out, err = capsys.readouterr()
        assert secret not in out + err
        (line,) = out.splitlines()
        entry = json.loads(line)
        assert entry["message"] == ("unauthorized" if "canary" in secret else "authorized")
        assert entry["route"] == "/api/teams"


def test_the_context_holds_no_secret(team: str) -> None:
    for secret in (team, MASTER_KEY):
        assert secret not in json.dumps(ask(Authorization=f"Bearer {secret}"))


def test_a_store_that_cannot_be_reached_is_an_error_and_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """API Gateway answers 500 then: a 401 would tell the client to throw its key away."""
    from tollgate.aws.lean import LeanClient

    monkeypatch.setattr(authorizer, "_client", lambda: LeanClient("us-east-1", "http://127.0.0.1:9"))
    with pytest.raises(OSError, match="refused"):
        ask(Authorization="Bearer sk-some-key")


def test_it_starts_without_the_heavy_libraries() -> None:
    code = "import sys, authorizer; print(sorted({name.split('.')[0] for name in sys.modules}))"
    environment = {
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'layers' / 'shared'}",
        "TABLE_NAME": "t",
        "AWS_REGION": "us-east-1",
    }
    run = subprocess.run(  # a process of its own: this one has everything loaded
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    for heavy in ("boto3", "botocore", "pydantic", "aws_lambda_powertools", "pynamodb", "aiohttp", "orjson", "jwt"):
        assert f"'{heavy}'" not in run.stdout
