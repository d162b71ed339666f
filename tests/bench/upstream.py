"""A provider that costs next to nothing: `python -m tests.bench.upstream <port>`.

Answers every POST like OpenAI's chat completions. A stream has as many chunks as `max_tokens` says, each sent on its
own after a pause, so that whoever relays it wakes up for every one, as with a real model.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import orjson
import uvloop

PAUSE_SECONDS = 0.004
_HEAD = {"id": "chatcmpl-upstream", "created": 1_700_000_000, "model": "gpt-4o-mini-2024-07-18"}
_USAGE = {"prompt_tokens": 60, "completion_tokens": 20, "total_tokens": 80}
_MESSAGE = {"role": "assistant", "content": "Twenty tokens of an answer that is of no interest to anybody at all."}
_ANSWER = orjson.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
)
_WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: upstream-1\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_ANSWER), _ANSWER)
)
_NOTHING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _part(payload: bytes) -> bytes:
    frame = b"data: " + payload + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def _chunk(choices: list[object], **members: object) -> bytes:
    return _part(orjson.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": choices, **members}))


_WORD = _chunk([{"index": 0, "delta": {"content": " word"}, "finish_reason": None}])
_LAST = (
    _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + _chunk([], usage=_USAGE)
    + _part(b"[DONE]")
    + b"0\r\n\r\n"
)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._received = b""
        if not body:
            # Some gateways ask what there is before they start.
            self._transport.write(_NOTHING)
            return
        request = orjson.loads(body)
        if not request.get("stream"):
            self._transport.write(_WHOLE)
            return
        self._transport.write(_STREAM)
        self._chunks(request["max_tokens"])

    def _chunks(self, left: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_WORD if left else _LAST)
        if left:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._chunks, left - 1)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
