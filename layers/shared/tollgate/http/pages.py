"""HTML pages: self-contained, and held to that by their headers."""

from __future__ import annotations

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

_HEADERS = {
    "Cache-Control": "public, max-age=300",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def page(html: str) -> Response[str]:
    """A page that runs its own scripts only and talks to this API only."""
    return Response(
        status_code=HTTPStatus.OK, content_type="text/html; charset=utf-8", body=html, headers=dict(_HEADERS)
    )
