"""Identifiers."""

from __future__ import annotations

import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tollgate.auth import credentials
from tollgate.core import ids

MOMENTS = st.integers(min_value=0, max_value=2**47)


@given(MOMENTS)
def test_ulids_have_their_form(at_ms: int) -> None:
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", ids.new_ulid(at_ms))


@given(MOMENTS, MOMENTS)
def test_ulids_sort_by_time(one: int, other: int) -> None:
    if one != other:
        assert (ids.new_ulid(one) < ids.new_ulid(other)) == (one < other)


def test_ulids_of_one_moment_differ() -> None:
    assert len({ids.new_ulid(1) for _ in range(1000)}) == 1000


@given(MOMENTS)
def test_call_ids_are_uuids_of_version_7(at_ms: int) -> None:
    uuid = UUID(ids.new_call_id(at_ms))
    assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
    assert uuid.int >> 80 == at_ms


@given(MOMENTS)
def test_hold_ids_are_short_and_follow_from_the_call(at_ms: int) -> None:
    call_id = ids.new_call_id(at_ms)
    assert ids.hold_id_of(call_id) == ids.hold_id_of(call_id.upper())
    assert re.fullmatch(r"[A-Za-z0-9_-]{16}", ids.hold_id_of(call_id))


def test_hold_ids_of_one_moment_differ() -> None:
    assert len({ids.hold_id_of(ids.new_call_id(1)) for _ in range(1000)}) == 1000


def test_virtual_keys() -> None:
    made = {credentials.new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"sk-[0-9a-f]{32}", key) for key in made)


def test_a_key_id_is_the_hash_of_the_whole_key() -> None:
    assert credentials.key_id_of("sk-1234") == "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


def test_a_mask_shows_four_characters() -> None:
    assert credentials.masked("sk-0123456789abcdef") == "sk-...cdef"
