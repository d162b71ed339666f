"""Where alerts may be sent: to the internet, and not to what only this network can reach.

Tenants choose these URLs, so names are checked by what they resolve to, at the moment of the connection.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver


class RefusedAddressError(OSError):
    """The host is, or resolves to, an address that alerts are not sent to."""

    def __init__(self) -> None:
        super().__init__("the address is not a public one")


def check(host: str) -> None:
    """Raises RefusedAddressError for a literal address that is not public. Names are the resolver's."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return
    mapped = getattr(address, "ipv4_mapped", None) or address
    # ``is_global`` is false for loopback, link-local, private, shared and reserved ones; multicast is apart.
    if not mapped.is_global or mapped.is_multicast:
        raise RefusedAddressError


class PublicResolver(ThreadedResolver):
    """Finds public addresses only; a name that has any other is refused as a whole."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for entry in found:
            check(entry["host"])
        return found
