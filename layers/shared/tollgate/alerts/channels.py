"""How an alert or an event travels: webhook, Slack-compatible URL, SNS topic."""

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
from tollgate.alerts.model import Channel
from tollgate.aws import sns
from tollgate.core.json import dumps

SIGNATURE = "X-Tollgate-Signature"
_AT_ONCE = 50
_REDIRECTION = 300
_SUCCESS = 200


class UndeliveredError(Exception):
    """The channel did not take it; the text may be shown to whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent to one receiver.

    Attributes:
        target: URL or topic.
        title, text: what it is in a word and in a sentence, for channels that people read.
        body: JSON, for channels that programs read.
        headers: of a webhook, beside the signature.
        secret: signs a webhook.
    """

    channel: Channel
    target: str = field(repr=False)
    title: str
    text: str
    body: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    secret: str = field(repr=False, default="")


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
        async with self._slots:
            match parcel.channel:
                case Channel.WEBHOOK:
                    signed = {SIGNATURE: signature(parcel.secret, parcel.body, int(time.time()))}
                    await self._post(parcel.target, parcel.body, {**parcel.headers, **signed})
                case Channel.SLACK:
                    await self._post(parcel.target, dumps({"text": f"*{parcel.title}* {parcel.text}"}), {})
                case Channel.SNS:
                    await self._publish(parcel)

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

    async def _publish(self, parcel: Parcel) -> None:
        subject = f"Tollgate: {parcel.title}"
        try:
            await asyncio.wait_for(asyncio.to_thread(sns.publish, parcel.target, subject, parcel.body), self._seconds)
        except TimeoutError as error:
            raise UndeliveredError("no answer in time") from error
        except sns.NotPublishedError as error:
            raise UndeliveredError(f"SNS: {error}") from error


def signature(secret: str, body: str, at: int) -> str:
    """``t=<epoch seconds>,v1=<hex>``: HMAC-SHA256 with the receiver's secret over ``<t>.<body>``."""
    mac = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"
