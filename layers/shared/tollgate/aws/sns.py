"""SNS: publishes alerts to the topics that the stack may publish to."""

from __future__ import annotations

from functools import cache
from typing import Any


class NotPublishedError(Exception):
    """SNS did not take the message; the text is its error code."""


@cache
def _client(region: str) -> Any:
    import boto3  # noqa: PLC0415 (only the function that publishes pays for it)
    from botocore.config import Config  # noqa: PLC0415

    # Whoever publishes sends again later by itself.
    config = Config(connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 1})
    return boto3.client("sns", region_name=region, config=config)


def publish(topic_arn: str, subject: str, message: str) -> None:
    """Publishes to a topic of its own region; ``subject`` is for e-mail: one line of ASCII, 100 characters at most.

    Raises NotPublishedError.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    region = topic_arn.split(":")[3]
    try:
        _client(region).publish(TopicArn=topic_arn, Subject=subject, Message=message)
    except ClientError as error:
        raise NotPublishedError(error.response.get("Error", {}).get("Code", "unknown")) from error
    except BotoCoreError as error:
        raise NotPublishedError(type(error).__name__) from error
