"""The environment, read once. A missing variable fails at init with its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stack tells its functions.

    Attributes:
        table_name: the one table.
        region: AWS region.
        kms_key_id: key (id, ARN or alias) that encrypts provider credentials.
        master_key_sha256: lower-case hex SHA-256 of the platform's master key.
        cursor_secret: signs list cursors.
        session_secret: signs the tokens of sessions.
        open_setup: the first admin user may be made without the master key; local only.
        litellm_compat: ``1.106`` or ``1.80`` (Q-55).
        available_teams: ids of teams that any user may join by himself.
        job_idle_hours: after so long without a sign of life an open job is failed (D-32).
        log_level: ``INFO`` unless set; Powertools reads the same variable.
        cors_origins: origins whose pages may read answers; ``*`` for all, none if empty.
        dynamodb_endpoint_url: another engine than the region's DynamoDB; local only.
        upstream_base_url: an OpenAI-compatible provider used where none is configured; local only.
        upstream_api_key: its key.
    """

    table_name: str
    region: str
    kms_key_id: str
    master_key_sha256: str
    cursor_secret: str
    session_secret: str
    open_setup: bool
    litellm_compat: str
    cors_origins: tuple[str, ...]
    available_teams: tuple[str, ...]
    job_idle_hours: int
    log_level: str
    dynamodb_endpoint_url: str | None
    upstream_base_url: str | None
    upstream_api_key: str | None


class SettingsError(RuntimeError):
    """The environment is not usable; the message names the variable."""


@cache
def settings() -> Settings:
    """The validated environment of this process."""
    compat = os.environ.get("LITELLM_COMPAT", "1.106")
    if compat not in {"1.106", "1.80"}:
        message = f"LITELLM_COMPAT must be 1.106 or 1.80, not {compat!r}"
        raise SettingsError(message)
    return Settings(
        table_name=_required("TABLE_NAME"),
        region=_required("AWS_REGION"),
        kms_key_id=_required("KMS_KEY_ID"),
        master_key_sha256=_required("MASTER_KEY_SHA256").lower(),
        cursor_secret=_required("CURSOR_SECRET"),
        session_secret=_required("SESSION_SECRET"),
        open_setup=os.environ.get("OPEN_SETUP") == "true",
        litellm_compat=compat,
        job_idle_hours=int(os.environ.get("JOB_IDLE_HOURS", "24")),
        log_level=os.environ.get("LOG_LEVEL", "INFO").upper(),
        cors_origins=_list("CORS_ORIGINS"),
        available_teams=_list("AVAILABLE_TEAMS"),
        dynamodb_endpoint_url=os.environ.get("DYNAMODB_ENDPOINT_URL") or None,
        upstream_base_url=os.environ.get("UPSTREAM_BASE_URL") or None,
        upstream_api_key=os.environ.get("UPSTREAM_API_KEY") or None,
    )


def _list(name: str) -> tuple[str, ...]:
    """What commas part."""
    return tuple(entry.strip() for entry in os.environ.get(name, "").split(",") if entry.strip())


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        message = f"Environment variable {name} is not set"
        raise SettingsError(message)
    return value
