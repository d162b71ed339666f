"""Key builders: no id can reach into another id's keys."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.table import keys

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
BUILDERS: list[Callable[[str], str]] = [
    keys.organization,
    keys.team,
    keys.model,
    keys.access_group,
    keys.group_members,
    keys.model_users,
    keys.active_credential,
    keys.credential_name,
]


@given(TEXT)
def test_ids_are_encoded_and_come_back(text: str) -> None:
    encoded = keys.encoded(text)
    assert unquote(encoded) == text
    assert encoded.isascii()
    assert not {"#", "/", " "} & set(encoded)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
@given(one=TEXT, other=TEXT)
def test_different_ids_have_different_keys(builder: Callable[[str], str], one: str, other: str) -> None:
    assert (builder(one) == builder(other)) == (one == other)


@given(TEXT, TEXT)
def test_an_id_cannot_smuggle_a_separator(one: str, other: str) -> None:
    assert keys.organization(f"{one}#TEAMS") != keys.teams_of(one)
    assert keys.team(f"{one}#KEYS") != keys.keys_of(one)
    assert keys.access_group(f"{one}#TEAMS") != keys.group_members(one)
    assert keys.by_creation("t", f"{one}#{other}").count("#") == 1


def test_parents_without_an_owner() -> None:
    assert keys.teams_of(None) == "ORG#none#TEAMS"
    assert keys.credentials_of(None) == "CREDENTIALS#platform"
    assert keys.audit_of(None) == "AUDIT#platform"


def test_prefixes_are_prefixes() -> None:
    assert keys.transaction("01").startswith(keys.transaction())
    assert keys.model("a").startswith(keys.model())
    assert keys.access_group("a").startswith(keys.access_group())
    assert not keys.counter().startswith(keys.transaction())


def test_creation_order_is_text_order() -> None:
    earlier = keys.by_creation("2026-03-01T12:00:00.000001Z", "z")
    later = keys.by_creation("2026-03-01T12:00:00.000002Z", "a")
    assert earlier < later
