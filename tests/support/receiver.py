"""A receiver of alerts on a real socket: it answers as a test says, and keeps what it was sent.

with running() as receiver:
    receiver.answers(500, 200)      # one after the other, the last for ever; a float waits so long before 200
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Parcel:
    """One request as it arrived; headers have lower-case names."""

    path: str
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body


class Receiver:
    def __init__(self) -> None:
        self.url = ""
        self.parcels: list[Parcel] = []
        self._answers: list[int | float] = [200]
        self.closing = threading.Event()

    def answers(self, *answers: float) -> None:
        self._answers = list(answers)

    @property
    def last(self) -> Parcel:
        return self.parcels[-1]

    def next_answer(self) -> int | float:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def running() -> Iterator[Receiver]:
    """A receiver that listens on this machine, each request in a thread of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.parcels.append(Parcel(self.path, headers, text))
            answer = receiver.next_answer()
            if isinstance(answer, float):
                receiver.closing.wait(answer)
                answer = 200
            with suppress(ConnectionError):
                self.send_response(answer)
                if 300 <= answer < 400:
                    self.send_header("location", f"{receiver.url}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Tests read what was sent, not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="receiver", daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
