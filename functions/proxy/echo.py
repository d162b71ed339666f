"""The built-in provider ``local/echo``: answers with the last message, so that everything works without a provider.

It counts tokens by our own rule (``metering.tokens``), keeps to ``max_tokens``, ``n`` and its context window, and
reports its usage as OpenAI does.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any

import orjson

from tollgate.core.errors import ProviderRequestError
from tollgate.metering.tokens import count_prompt, count_text, texts_of

_DIMENSIONS = 8
_WORDS = re.compile(r"\s*\S+|\s+")


class EchoAnswer:
    """An answer that is computed, with the interface of one that is received."""

    def __init__(self, request: dict[str, Any], path: str) -> None:
        self._request = request
        self._path = path
        self._closed = False

    @classmethod
    def to(cls, request: dict[str, Any], path: str, context_window: int | None) -> EchoAnswer:
        """Raises ProviderRequestError for a prompt beyond the context window, as providers do."""
        tokens = count_prompt(request)
        if context_window is not None and tokens > context_window:
            raise ProviderRequestError(
                f"This model's maximum context length is {context_window} tokens. "
                f"However, your messages resulted in {tokens} tokens.",
                code="context_length_exceeded",
                status=400,
                param="messages",
            )
        return cls(request, path)

    async def read(self) -> bytes:
        if self._path == "/embeddings":
            return orjson.dumps(self._embeddings())
        whole, finish = self._whole("".join(self._text)), self._finish
        choices = [{"index": index, **whole, "finish_reason": finish} for index in range(self._count())]
        return orjson.dumps({**self._head(), "choices": choices, "usage": self._usage()})

    async def chunks(self) -> AsyncIterator[bytes]:
        for frame in self._frames():
            if self._closed:
                return
            yield b"data: " + orjson.dumps(frame) + b"\n\n"
        yield b"data: [DONE]\n\n"

    def close(self) -> None:
        self._closed = True

    def _frames(self) -> Iterator[dict[str, Any]]:
        head = {**self._head(), "object": "chat.completion.chunk" if self._chat else "text_completion"}
        for index in range(self._count()):
            for number, piece in enumerate(self._text):
                yield {
                    **head,
                    "choices": [{"index": index, **self._piece(piece, first=not number), "finish_reason": None}],
                }
            last: dict[str, Any] = {"delta": {}} if self._chat else {"text": ""}
            yield {**head, "choices": [{"index": index, **last, "finish_reason": self._finish}]}
        if (self._request.get("stream_options") or {}).get("include_usage"):
            yield {**head, "choices": [], "usage": self._usage()}

    @property
    def _chat(self) -> bool:
        return self._path == "/chat/completions"

    def _head(self) -> dict[str, Any]:
        kind = "chat.completion" if self._chat else "text_completion"
        return {"id": "echo", "object": kind, "created": int(time.time()), "model": "echo"}

    def _whole(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}

    def _piece(self, text: str, *, first: bool) -> dict[str, Any]:
        if not self._chat:
            return {"text": text}
        return {"delta": {"role": "assistant", "content": text} if first else {"content": text}}

    @cached_property
    def _said(self) -> str:
        messages = self._request.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else self._request.get("prompt", "")
        return " ".join(texts_of(last)) or "Hello from local/echo."

    @cached_property
    def _text(self) -> list[str]:
        """The words of the answer, as many as the maximum allows."""
        pieces: list[str] = []
        left = self._maximum()
        for word in _WORDS.findall(self._said):
            left -= count_text(word)
            if left < 0:
                break
            pieces.append(word)
        return pieces or [""]

    def _maximum(self) -> int:
        maximum = self._request.get("max_completion_tokens") or self._request.get("max_tokens") or 4096
        return int(maximum)

    @cached_property
    def _finish(self) -> str:
        return "length" if sum(map(count_text, _WORDS.findall(self._said))) > self._maximum() else "stop"

    def _count(self) -> int:
        return int(self._request.get("n") or 1)

    def _usage(self) -> dict[str, int]:
        output = 0 if self._path == "/embeddings" else self._count() * sum(map(count_text, self._text))
        prompt = count_prompt(self._request)
        return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}

    def _embeddings(self) -> dict[str, Any]:
        given = self._request.get("input")
        inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(str(text))}
            for index, text in enumerate(inputs)
        ]
        usage = self._usage()
        usage.pop("completion_tokens")
        return {"object": "list", "data": data, "model": "echo", "usage": usage}


def _vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [round(byte / 127.5 - 1, 6) for byte in digest[:_DIMENSIONS]]
