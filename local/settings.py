"""What the environment says about the local cloud (design section 7)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
COMPAT_PROFILES = ("1.106", "1.80")
_MAX_PORT = 65535


class SettingError(Exception):
    """An environment variable has a value that cannot be used; the text names it."""


@dataclass(frozen=True)
class Settings:
    """Where the local cloud listens and what it is wired to."""

    host: str = "127.0.0.1"
    port: int = 8003
    master_key: str = "sk-local-master"
    upstream_base_url: str | None = None
    upstream_api_key: str | None = None
    litellm_compat: str = COMPAT_PROFILES[0]
    dynamodb_endpoint_url: str | None = None
    log_level: str = "WARNING"
    template: Path = ROOT / "template.yaml"
    code: Path = ROOT / "functions"
    layer: Path = ROOT / "layers" / "shared"
    cursor_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    session_secret: str = field(default_factory=lambda: secrets.token_hex(32))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check the variables; an empty one counts as unset. Raises SettingError."""
        return cls(
            host=environ.get("HOST") or cls.host,
            port=_port(environ.get("PORT") or str(cls.port)),
            master_key=_master_key(environ.get("MASTER_KEY") or cls.master_key),
            upstream_base_url=_url("UPSTREAM_BASE_URL", environ),
            upstream_api_key=environ.get("UPSTREAM_API_KEY") or None,
            litellm_compat=_compat(environ.get("LITELLM_COMPAT") or cls.litellm_compat),
            dynamodb_endpoint_url=_url("DYNAMODB_ENDPOINT_URL", environ),
            log_level=environ.get("LOG_LEVEL") or cls.log_level,
        )

    @property
    def url(self) -> str:
        """The gateway's base URL, as a client on this machine uses it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"

    def function_environment(self) -> dict[str, str]:
        """The functions' variables that depend on these settings."""
        values = {
            "MASTER_KEY_SHA256": hashlib.sha256(self.master_key.encode()).hexdigest(),
            "CURSOR_SECRET": self.cursor_secret,
            "SESSION_SECRET": self.session_secret,
            "OPEN_SETUP": "true",
            "LITELLM_COMPAT": self.litellm_compat,
            "LOG_LEVEL": self.log_level,
            "POWERTOOLS_METRICS_DISABLED": "true",
            "UPSTREAM_BASE_URL": self.upstream_base_url,
            "UPSTREAM_API_KEY": self.upstream_api_key,
        }
        return {name: value for name, value in values.items() if value is not None}


def _port(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or not 0 < int(value) <= _MAX_PORT:
        message = f"PORT must be a number from 1 to {_MAX_PORT}, not {value!r}"
        raise SettingError(message)
    return int(value)


def _master_key(value: str) -> str:
    if not value.startswith("sk-") or len(value) < len("sk-") + 1 or not value.isprintable():
        message = "MASTER_KEY must start with sk- and hold printable characters only"
        raise SettingError(message)
    return value


def _compat(value: str) -> str:
    if value not in COMPAT_PROFILES:
        message = f"LITELLM_COMPAT must be one of {', '.join(COMPAT_PROFILES)}, not {value!r}"
        raise SettingError(message)
    return value


def _url(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name)
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        message = f"{name} must be an http or https URL, not {value!r}"
        raise SettingError(message)
    return value.rstrip("/")
