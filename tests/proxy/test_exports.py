"""Exports of usage: rows that add up, any size in one stream, no formula for a spreadsheet, only for those who may."""

from __future__ import annotations

import csv
import io
import json
import random
from decimal import Decimal
from typing import Any

import httpx
import pytest

from local.testing import MASTER_KEY
from tests.proxy.plane import Plane
from tests.support import build, calls, job_images
from tests.support.api import call
from tests.support.items import all_items, put_raw
from tests.support.stream import insert
from tollgate.usage.reading import Range
from workers import rollup

ORGANIZATION, TEAM = "/api/organizations/org_acme/usage/export", "/api/teams/acme-dev/usage/export"
MARCH = {"period": "2026-03"}
MASTER = {"X-Admin-Key": MASTER_KEY}


@pytest.fixture
def used(plane: Plane, team: dict[str, Any]) -> list[calls.Item]:
    """Calls and jobs of two teams of one organization; one job type is a formula."""
    build.team("acme-prod")
    uids = {item["team_id"]: item for item in all_items() if item["kind"] == "team"}
    chance = random.Random(3)
    records = []
    for number in range(40):
        owner = uids[chance.choice(["acme-dev", "acme-prod"])]
        fields = {name: owner[name] for name in ("team_id", "organization_id", "organization_uid")}
        at = calls.NOON.replace(day=1 + number % 5)
        kinds = [None, '=HYPERLINK("http://evil")', "resume, long", "+1", "-1", "@a"]
        fields |= {"team_uid": owner["uid"], "job_type": chance.choice(kinds)}
        fields |= {"cost_usd": Decimal(chance.randint(1, 10**12)).scaleb(-12)}
        records.append(calls.record(at, **fields))
    job = job_images.made(
        team_uid=uids["acme-dev"]["uid"], team_id="acme-dev", organization_uid=owner["organization_uid"]
    )
    job = job_images.ended(job, "failed", unbilled=Decimal("0.5"))
    put_raw([job])
    calls.counted(records)
    rollup.handler({"Records": [insert(job, 1, "MODIFY")]}, None)
    return records


def get(plane: Plane, path: str, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
    return plane.client.get(path, params=query or MARCH, headers=MASTER if headers is None else headers)


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def cost(records: list[calls.Item], team: str | None = None) -> Decimal:
    own = [record for record in records if team is None or record["team_id"]["S"] == team]
    return sum((Decimal(record["cost_usd"]["N"]) for record in own), Decimal(0))


def test_rows_are_the_usage_to_the_last_digit(plane: Plane, used: list[calls.Item]) -> None:
    answer = get(plane, ORGANIZATION)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage-org_acme-2026-03.csv"'
    found = rows(answer)
    assert sum(int(row["calls"]) for row in found) == len(used)
    assert sum(Decimal(row["cost_usd"]) for row in found) == cost(used)
    (job,) = [row for row in found if row["jobs"] == "1"]
    assert (job["model"], job["job_type"], job["failed_jobs"], job["unbilled_cost_usd"]) == ("", "resume", "1", "0.5")
    own = rows(get(plane, TEAM))
    assert own == [row for row in found if row["team_id"] == "acme-dev"]
    assert sum(Decimal(row["cost_usd"]) for row in own) == cost(used, "acme-dev")


def test_json_says_the_same(plane: Plane, used: list[calls.Item]) -> None:
    answer = get(plane, ORGANIZATION, period="2026-03", format="json")
    body = json.loads(answer.text, parse_float=Decimal)
    assert (answer.headers["content-type"], body["organization_id"], body["period"]) == (
        "application/json",
        "org_acme",
        "2026-03",
    )
    plain = rows(get(plane, ORGANIZATION))
    assert [row["cost_usd"] for row in body["rows"]] == [Decimal(row["cost_usd"]) for row in plain]
    assert [row["job_type"] or "" for row in body["rows"]] == [row["job_type"].removeprefix("'") for row in plain]


def test_no_cell_is_a_formula(plane: Plane, used: list[calls.Item]) -> None:
    cells = [cell for line in csv.reader(io.StringIO(get(plane, ORGANIZATION).text)) for cell in line]
    assert '\'=HYPERLINK("http://evil")' in cells
    assert "resume, long" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_many_pages_are_one_stream(
    plane: Plane, used: list[calls.Item], monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    whole = get(plane, ORGANIZATION, period="2026-03", format=format).text
    real = Range.query

    def in_pages(self: Any, table_name: str) -> dict[str, Any]:
        return real(self, table_name) | {"Limit": 3}

    monkeypatch.setattr(Range, "query", in_pages)
    assert get(plane, ORGANIZATION, period="2026-03", format=format).text == whole


def test_nothing_is_used(plane: Plane, team: dict[str, Any]) -> None:
    assert rows(get(plane, TEAM)) == []
    assert get(plane, TEAM, period="all", format="json").json() == {"team_id": "acme-dev", "period": "all", "rows": []}


def test_a_team_exports_its_own_without_what_it_costs_us(plane: Plane, used: list[calls.Item]) -> None:
    own = rows(get(plane, TEAM, plane.headers()))
    assert len(own) == len(rows(get(plane, TEAM)))
    assert {row["provider_cost_usd"] for row in own} == {""}
    assert {row["provider_cost_usd"] for row in rows(get(plane, TEAM))} != {""}


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        (ORGANIZATION, 403, "This credential may not use this endpoint"),
        ("/api/teams/acme-prod/usage/export", 403, "API key does not belong to team 'acme-prod'"),
        ("/api/teams/other-dev/usage/export", 404, "Team 'other-dev' not found"),
        ("/api/teams/nobody/usage/export", 404, "Team 'nobody' not found"),
    ],
)
def test_only_ones_own(plane: Plane, team: dict[str, Any], path: str, status: int, detail: str) -> None:
    build.organization("org_other")
    build.team("acme-prod")
    build.team("other-dev", "org_other")
    answer = get(plane, path, plane.headers())
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"], answer.json()["detail"]) == (status, status, detail)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"period": "march"}, "period"), ({"format": "csv"}, "period"), ({**MARCH, "format": "xlsx"}, "format")],
)
def test_a_bad_query_is_named(plane: Plane, team: dict[str, Any], query: dict[str, str], field: str) -> None:
    answer = get(plane, TEAM, **query)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer sk-00000000000000000000000000000000"}, {"x-admin-key": "wrong"}]
)
def test_without_a_credential(plane: Plane, team: dict[str, Any], headers: dict[str, str]) -> None:
    assert get(plane, TEAM, headers).status_code == 401


def test_what_the_authorizer_is_said_to_have_found_is_not_believed(plane: Plane, team: dict[str, Any]) -> None:
    """Wherever the app is not behind the gateway, a client may write that header himself."""
    forged = json.dumps({"authorizer": {"kind": "master", "key_id": ""}})
    answer = get(plane, ORGANIZATION, {**plane.headers(), "x-amzn-request-context": forged})
    assert answer.status_code == 403
    assert get(plane, ORGANIZATION, {"x-amzn-request-context": forged}).status_code == 401


def test_a_suspended_team_exports_nothing(plane: Plane, team: dict[str, Any]) -> None:
    assert call("POST", "/api/teams/acme-dev/suspend").status == 200
    answer = get(plane, TEAM, plane.headers())
    assert (answer.status_code, answer.json()["detail"]) == (403, "Team access suspended - contact support")
    assert get(plane, TEAM).status_code == 200
