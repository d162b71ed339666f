"""Streams: the provider's server-sent events, rewritten and counted on their way to the client (Q-50)."""

from __future__ import annotations

import time
from typing import Any

import orjson

from proxy.usage import reported, shown
from tollgate.metering.model import Usage
from tollgate.metering.tokens import count_answer

_DATA = b"data:"
_DONE = b"[DONE]"
DONE_FRAME = b"data: [DONE]\n\n"


class StreamRelay:
    """Turns received bytes into frames for the client, and remembers what has to be charged.

    Ids become ours, the model's name becomes the requested one, and the usage chunk, which is always asked for, is
    kept back from a client who did not ask for it.
    """

    def __init__(self, call_id: str, alias: str, *, wants_usage: bool) -> None:
        self._id = f"chatcmpl-{call_id}"
        self._alias = alias
        self._wants_usage = wants_usage
        self._buffer = b""
        self._template: dict[str, Any] = {}
        self._pieces: list[str] = []
        self._usage_shown = False
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self.usage: Usage | None = None
        self.done = False
        self.error: str | None = None

    def feed(self, data: bytes) -> bytes:
        """The frames that are complete with ``data``, as one block to send."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return b"".join(frame for line in lines if (frame := self._line(line.strip())))

    def usage_frame(self, usage: Usage) -> bytes:
        """The usage chunk for a client who asked for it and whose provider sends none."""
        if not self._wants_usage or self._usage_shown:
            return b""
        return _frame({**self._template, "id": self._id, "model": self._alias, "choices": [], "usage": shown(usage)})

    def counted(self, input_tokens: int) -> Usage:
        """Our own count of what was streamed so far, marked as estimated."""
        return Usage(input=input_tokens, output=count_answer(self._pieces), estimated=True)

    @property
    def produced(self) -> bool:
        """Whether the client has got any output."""
        return bool(self._pieces)

    @property
    def finished(self) -> bool:
        """Whether the provider said all that it had to say: its own end, or the end of every choice."""
        return self.done or bool(self._ended and self._ended == self._begun)

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(_DATA):
            return b""
        payload = line[len(_DATA) :].strip()
        if payload == _DONE:
            self.done = True
            return b""
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return b""
        return self._chunk(chunk) if isinstance(chunk, dict) else b""

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if error := chunk.get("error"):
            self.error = str(error.get("message", error) if isinstance(error, dict) else error)
            return b""
        usage = reported(chunk.get("usage"))
        if usage is not None:
            self.usage = usage
        chunk["id"] = self._id
        chunk["model"] = self._alias
        if not self._template:
            self._template = {name: chunk.get(name) for name in ("id", "object", "created", "model")}
        listed = chunk.get("choices")
        choices = [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []
        if not choices and "usage" in chunk and not self._wants_usage:
            return b""
        for choice in choices:
            self._count(choice)
        if self._wants_usage:
            self._usage_shown = self._usage_shown or (usage is not None and not choices)
        else:
            chunk.pop("usage", None)
        return self._shown(chunk, choices)

    def _shown(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:  # noqa: ARG002 (a hook)
        return _frame(chunk)

    def _count(self, choice: dict[str, Any]) -> None:
        """Whatever reaches the client as output counts: text, refusals, reasoning, tool calls."""
        index = str(choice.get("index"))
        self._begun.add(index)
        if choice.get("finish_reason"):
            self._ended.add(index)
        text = _text_of(_object(choice.get("delta"))) + str(choice.get("text") or "")
        if text:
            self._pieces.append(text)


class JobRelay(StreamRelay):
    """The stream of a call in a job: its last chunk says why it ended and what was used (contract 1.6, Q-50)."""

    def __init__(self, call_id: str, alias: str) -> None:
        super().__init__(call_id, alias, wants_usage=False)
        self._reason = "stop"

    def usage_frame(self, usage: Usage) -> bytes:
        ending = [{"index": 0, "delta": {}, "finish_reason": self._reason}]
        template = self._template or {"object": "chat.completion.chunk", "created": int(time.time())}
        last = {**template, "id": self._id, "model": self._alias, "choices": ending, "usage": shown(usage)}
        return _frame(last)

    def _shown(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> bytes:
        for choice in choices:
            self._reason = str(choice.get("finish_reason") or self._reason)
            choice["finish_reason"] = None
        told = any(choice.get("delta") for choice in choices)
        return _frame(chunk) if told else b""


def _text_of(delta: dict[str, Any]) -> str:
    parts = [str(delta.get(name) or "") for name in ("content", "reasoning_content", "refusal")]
    tools = delta.get("tool_calls")
    for tool in tools if isinstance(tools, list) else ():
        function = _object(_object(tool).get("function"))
        parts += [str(function.get("name") or ""), str(function.get("arguments") or "")]
    return "".join(parts)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def error_frame(body: dict[str, Any]) -> bytes:
    """An error after the first byte, when the status can no longer say it."""
    return _frame(body)
