"""How an alert travels: webhook, Slack-compatible URL, SNS topic."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from tollgate.alerts import addresses
from tollgate.alerts.model import AlertMessage, AlertRule, Channel
from tollgate.aws import sns
from tollgate.core.json import dumps

SIGNATURE = "X-Tollgate-Signature"
_AT_ONCE = 50
_REDIRECTION = 300
_SUCCESS = 200


class UndeliveredError(Exception):
    """The channel did not take the alert; the text may be shown to whoever made the rule."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for one rule; ``secret`` is what the rule's ciphertext holds."""

    rule: AlertRule
    message: AlertMessage
    secret: str | None = field(repr=False, default=None)


class Sender:
    """Sends parcels; each takes at most ``seconds``. ``local``: receivers on this machine are allowed."""

    def __init__(self, seconds: float, *, local: bool) -> None:
        self._seconds = seconds
        self._local = local
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=None if self._local else addresses.PublicResolver())
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, parcel: Parcel) -> None:
        """Delivers. Raises UndeliveredError."""
        body = dumps(parcel.message.model_dump(mode="json"))
        async with self._slots:
            match parcel.rule.channel:
                case Channel.WEBHOOK:
                    await self._post(parcel.rule.target, body, _headers(parcel, body))
                case Channel.SLACK:
                    text = f"*{parcel.message.event}* {parcel.message.event_message}"
                    await self._post(parcel.secret or "", dumps({"text": text}), {})
                case Channel.SNS:
                    await self._publish(parcel, body)

    async def _post(self, url: str, body: str, headers: Mapping[str, str]) -> None:
        try:
            if not self._local:
                addresses.check(urlsplit(url).hostname or "")
            # A redirect could lead anywhere, so none is followed: it is a failure.
            answer = await self._session.post(
                url,
                data=body.encode(),
                headers={"content-type": "application/json", "user-agent": "Tollgate-Alerts/1", **headers},
                allow_redirects=False,
            )
            answer.release()
        except addresses.RefusedAddressError as error:
            raise UndeliveredError(str(error)) from error
        except TimeoutError as error:
            raise UndeliveredError("no answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UndeliveredError("no connection") from error
        if not _SUCCESS <= answer.status < _REDIRECTION:
            raise UndeliveredError(f"answered {answer.status}")

    async def _publish(self, parcel: Parcel, body: str) -> None:
        subject = f"Tollgate: {parcel.message.event}"
        try:
            await asyncio.wait_for(asyncio.to_thread(sns.publish, parcel.rule.target, subject, body), self._seconds)
        except TimeoutError as error:
            raise UndeliveredError("no answer in time") from error
        except sns.NotPublishedError as error:
            raise UndeliveredError(f"SNS: {error}") from error


def signature(secret: str, body: str, at: int) -> str:
    """``t=<epoch seconds>,v1=<hex>``: HMAC-SHA256 with the rule's secret over ``<t>.<body>``."""
    mac = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def _headers(parcel: Parcel, body: str) -> dict[str, str]:
    return {
        "X-Tollgate-Alert-Id": parcel.message.alert_id,
        "X-Tollgate-Event": parcel.message.event.value,
        SIGNATURE: signature(parcel.secret or "", body, int(time.time())),
    }
