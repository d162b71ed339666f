"""What a page of users costs: as much with ten thousand of them as with a hundred (Q-27)."""

from __future__ import annotations

import pytest

from tests.bench.lists import _copies, _metered, _write
from tests.bench.usage import _lean_metered
from tests.litellm.test_users import done
from tests.support import build
from tests.support.api import call
from tests.support.items import raw_items
from tollgate.core.numbered import NumberedPages
from tollgate.litellm import user_lists
from tollgate.table import keys

SIZES = (100, 10_000)
SEED = "user-00000"


def units_of(page: int) -> tuple[float, int]:
    """Read units of a page, and how many users it has."""
    with _metered() as units, _lean_metered(units):
        shown = done(call("GET", "/user/list", query={"page": str(page), "page_size": "10"}))
    return sum(units), len(shown["users"])


@pytest.mark.engine
def test_pages_in_order_cost_the_same(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_lists, "PAGES", NumberedPages())
    build.user(SEED, max_budget=5)
    build.organization()
    build.team()
    build.member("team-member", "acme-dev", SEED)
    own = [item for item in raw_items() if item["kind"]["S"] == "user"]
    (part,) = [item for item in raw_items() if item["PK"]["S"] == keys.total(keys.USERS)]
    found, have = {}, 1
    for size in SIZES:
        _write(item for number in range(have, size) for item in _copies(own, SEED, f"user-{number:05d}"))
        _write(iter([part | {"number": {"N": str(size)}, "moves": {"N": str(size)}}]))
        have = size
        found[size] = [units_of(page) for page in (1, 2, 3, 4)]
    few, many = (found[size] for size in SIZES)
    assert [users for _, users in many] == [10] * 4
    assert many == few
    assert len(set(many)) == 1
