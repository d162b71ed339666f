"""Cursors: opaque, authenticated, bound to their list."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.core.errors import InvalidCursorError
from tollgate.table import cursor

POSITION = {"PK": "TEAM#a", "SK": "#", "GSI1PK": "ORG#1#TEAMS", "GSI1SK": "t#a"}
POSITIONS = st.dictionaries(st.sampled_from(["PK", "SK", "GSI1PK", "GSI1SK"]), st.text(max_size=40), min_size=1)


@given(POSITIONS, st.text(max_size=40))
def test_round_trip(position: dict[str, str], scope: str) -> None:
    assert cursor.decode(cursor.encode(position, scope), scope) == position


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_another_scope_is_refused(text: str, scope: str, other: str) -> None:
    made = cursor.encode({"PK": text}, scope)
    if scope != other:
        with pytest.raises(InvalidCursorError):
            cursor.decode(made, other)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_every_changed_byte_is_noticed(index: int, change: int) -> None:
    made = cursor.encode(POSITION, "teams")
    raw = bytearray(base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)))
    raw[index % len(raw)] ^= change
    with pytest.raises(InvalidCursorError):
        cursor.decode(base64.urlsafe_b64encode(raw).decode().rstrip("="), "teams")


@given(st.text(max_size=80))
def test_text_that_nobody_signed_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        cursor.decode(text, "teams")


def test_a_scope_cannot_be_moved_into_the_payload() -> None:
    """What separates scope and payload is no character that JSON starts with."""
    made = cursor.encode({"PK": "a"}, "teams")
    with pytest.raises(InvalidCursorError):
        cursor.decode(made, "team")


def test_it_is_made_for_urls() -> None:
    made = cursor.encode({"PK": "\N{EURO SIGN}" * 20}, "teams")
    assert made.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_is_the_secret_s(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    made = cursor.encode(POSITION, "teams")
    other = replace(cursor.settings(), cursor_secret="another")
    monkeypatch.setattr(cursor, "settings", lambda: other)
    with pytest.raises(InvalidCursorError):
        cursor.decode(made, "teams")
