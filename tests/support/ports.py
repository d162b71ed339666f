"""A free port for a server that a test starts as a process of its own."""

from __future__ import annotations

import os
import random
import socket

# Below those that the system gives to whoever asks for any: between here and the server's start nobody gets it.
_PORTS = range(20_000, 30_000)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    chance = random.Random(os.urandom(8))
    while True:
        port = chance.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
