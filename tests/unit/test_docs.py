"""The documentation against the code: what can be compared is compared."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import pytest

from tests.support import calls, docs
from tests.support.api import FUNCTIONS, ROUTES, call
from tests.support.docs import ROOT
from tests.support.environment import empty_table
from tests.support.items import all_items, raw_items
from tests.support.ports import free_port
from tests.support.requests import CANARY, KNOWN_KEY, REQUESTS, World
from tests.support.sessions import log_in
from tollgate.core import ids
from tollgate.metering import counters, records
from tollgate.metering.model import Call, Entitlement
from tollgate.table import keys
from tollgate.telemetry import Event
from tollgate.webhooks.watcher import EventWatcher
from workers import close_days

DATA_MODEL = (ROOT / "docs/data-model.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
KEYS = ("PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", "DUEPK", "DUESK")
ABSENT = "–"  # noqa: RUF001 (the chart's own sign)
# Values of builders' arguments, and what the module is made of.
NO_KEYS = {
    "PLATFORM",
    "NO_ORGANIZATION",
    "SWEEP_PARTITIONS",
    "REFILL_PARTITIONS",
    "ZOMBIE_PARTITIONS",
    "encoded",
    "fits",
    "shard_of",
}
# Where ranges of sort keys end.
NO_KEYS |= {"usage_days_end", "usage_hours_end", "usage_teams_end"}

Row = dict[str, str]


class Builders:
    """``tollgate.table.keys`` that remembers what was asked of it."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(keys, name)


def chart(k: Any) -> list[tuple[str, Row]]:
    """Every row of the entity chart, rendered by the builders."""
    listed = {"PK": k.organization("{organization_id}"), "SK": k.ENTITY}
    organization = listed | {
        "GSI1PK": k.ORGANIZATIONS,
        "GSI1SK": k.by_creation("{created_at}", "{organization_id}"),
    }
    by_creation = k.by_creation("{created_at}", "{team_id}")
    entry = {"PK": k.account("{owner_uid}"), "SK": k.transaction("{transaction_id}")}
    team = {"PK": k.team("{team_id}"), "SK": k.ENTITY, "GSI1PK": k.teams_of("{organization_uid}")}
    team |= {"GSI1SK": by_creation, "GSI2PK": k.TEAMS, "GSI2SK": by_creation}
    refilled = {"DUEPK": k.refill("{partition}"), "DUESK": "{due}"}
    organization, team = organization | refilled, team | refilled
    key = {"PK": k.key("{key_id}"), "SK": k.ENTITY}
    listed = k.by_creation("{created_at}", "{key_id}")
    of_user = {"GSI2PK": k.keys_of_user("{user_id}"), "GSI2SK": listed}
    own_key = key | {"GSI1PK": k.own_keys_of("{organization_uid}"), "GSI1SK": listed}
    key |= {"GSI1PK": k.keys_of("{team_uid}"), "GSI1SK": listed}
    key_link = {"PK": k.keys_in("{organization_uid}"), "SK": listed, "GSI1PK": k.KEYS, "GSI1SK": listed}
    revoked = {"PK": k.keys_in("{organization_uid}", revoked=True), "GSI1PK": k.REVOKED_KEYS}
    account = {"PK": k.account("{team_uid}"), "SK": k.counter(), "DUEPK": k.sweep("{partition}"), "DUESK": "{due}"}
    call = {"PK": k.call("{hold_id}"), "SK": k.ENTITY}
    call |= {"GSI1PK": k.calls_of("{team_uid}", "{day}"), "GSI1SK": "{call_id}"}
    in_job = call | {"GSI2PK": k.calls_in("{job_id}"), "GSI2SK": "{call_id}"}
    job = {"PK": k.job("{job_id}"), "SK": k.ENTITY, "GSI1PK": k.jobs_of("{team_uid}"), "GSI1SK": "{job_id}"}
    job |= {"GSI2PK": k.jobs_of("{team_uid}", "{status}"), "GSI2SK": "{job_id}"}
    job |= {"DUEPK": k.zombies("{partition}"), "DUESK": "{due}"}
    job_counter = account | {"PK": k.account("{job_id}")}
    credential = {"PK": k.credential("{credential_id}"), "SK": k.ENTITY}
    by_creation = k.by_creation("{created_at}", "{credential_id}")
    credential |= {"GSI1PK": k.credentials_of("{organization_uid}"), "GSI1SK": by_creation}
    credential |= {"GSI2PK": k.CREDENTIALS, "GSI2SK": by_creation}
    pointers = {"PK": k.credentials_of("{organization_uid}")}
    alert_rule = {"PK": k.alert_rule("{rule_id}"), "SK": k.ENTITY, "GSI1PK": k.alert_rules_of("{owner_uid}")}
    by_creation = k.by_creation("{created_at}", "{rule_id}")
    alert_rule |= {"GSI1SK": by_creation, "GSI2PK": k.ALERT_RULES, "GSI2SK": by_creation}
    by_creation = k.by_creation("{created_at}", "{alert_id}")
    alert = {"PK": k.alert("{alert_id}"), "SK": k.ENTITY, "GSI1PK": k.alerts_of("{organization_uid}")}
    alert |= {"GSI1SK": by_creation, "GSI2PK": k.ALERTS, "GSI2SK": by_creation}
    alert |= {"DUEPK": k.DELIVERIES, "DUESK": "{due_at}"}
    audit = {"PK": k.audit_of("{organization_uid}"), "SK": "{audit_id}", "GSI1PK": k.AUDIT, "GSI1SK": "{audit_id}"}

    def created(name: str) -> str:
        return str(k.by_creation("{created_at}", name))

    membership = {"PK": k.members_of("{owner_uid}"), "SK": k.member("{user_uid}")}
    membership |= {"GSI1PK": k.memberships_of("{user_uid}"), "GSI1SK": created("{owner_id}")}
    customer = {"PK": k.customer("{customer_id}"), "SK": k.ENTITY}
    customer |= {"GSI1PK": k.CUSTOMERS, "GSI1SK": created("{customer_id}")}
    blocked_customer = customer | {"GSI2PK": k.BLOCKED_CUSTOMERS, "GSI2SK": created("{customer_id}")}
    budget = {"PK": k.budget("{budget_id}"), "SK": k.ENTITY, "GSI1PK": k.BUDGETS, "GSI1SK": created("{budget_id}")}
    admin = {"PK": k.user("{user_id}"), "SK": k.ENTITY, "GSI1PK": k.USERS, "GSI1SK": created("{user_id}")}
    admin |= {"GSI2PK": k.ADMIN_USERS, "GSI2SK": created("{user_id}")}
    return [
        ("organization", organization),
        ("team", team),
        ("metadata", {"PK": k.organization("{organization_id}"), "SK": k.METADATA}),
        ("object_permission", {"PK": k.organization("{organization_id}"), "SK": k.OBJECT_PERMISSION}),
        ("object_permission", {"PK": k.team("{team_id}"), "SK": k.OBJECT_PERMISSION}),
        ("metadata", {"PK": k.team("{team_id}"), "SK": k.METADATA}),
        ("key", key),
        ("key", key | of_user),
        ("key", own_key),
        ("key", own_key | of_user),
        ("former_key", {"PK": k.key("{key_id}"), "SK": k.ENTITY}),
        ("key_link", key_link),
        ("key_link", key_link | revoked),
        ("key_alias", {"PK": k.key_alias("{key_alias}"), "SK": k.ENTITY}),
        ("account", account),
        ("transaction", entry | {"GSI1PK": k.ledger_of("{organization_uid}"), "GSI1SK": "{transaction_id}"}),
        ("transaction", entry),
        ("booked", {"PK": k.account("{owner_uid}"), "SK": k.booked("{cause}", "{which}")}),
        ("idempotent", {"PK": k.idempotent("{digest}"), "SK": k.ENTITY}),
        ("call", call),
        ("call", in_job),
        ("job", job),
        ("job_counter", job_counter),
        ("model", {"PK": k.CATALOGUE, "SK": k.model("{alias}")}),
        ("model_params", {"PK": k.model("{alias}"), "SK": k.MODEL_PARAMS}),
        ("access_group", {"PK": k.CATALOGUE, "SK": k.access_group("{group_name}")}),
        ("catalogue_version", {"PK": k.CATALOGUE, "SK": k.CATALOGUE_VERSION}),
        ("group_link", {"PK": k.group_members("{group_name}"), "SK": k.team("{team_id}")}),
        ("model_link", {"PK": k.model_users("{alias}"), "SK": k.team("{team_id}")}),
        ("provider_credential", credential),
        ("credential_pointer", pointers | {"SK": k.active_credential("{provider}")}),
        ("credential_pointer", pointers | {"SK": k.credential_name("{credential_name}")}),
        ("audit_event", audit),
        *_usage(k),
        ("alert_rule", alert_rule),
        ("alert", alert),
        ("metadata", {"PK": k.key("{key_id}"), "SK": k.METADATA}),
        ("metadata", {"PK": k.model("{alias}"), "SK": k.METADATA}),
        ("metadata", {"PK": k.user("{user_id}"), "SK": k.METADATA}),
        ("user", {"PK": k.user("{user_id}"), "SK": k.ENTITY, "GSI1PK": k.USERS, "GSI1SK": created("{user_id}")}),
        ("user", admin),
        ("user", {"PK": k.user("{user_id}"), "SK": k.ENTITY, "DUEPK": k.USER_REMOVALS, "DUESK": "{due}"}),
        ("object_permission", {"PK": k.user("{user_id}"), "SK": k.OBJECT_PERMISSION}),
        ("password", {"PK": k.user("{user_id}"), "SK": k.PASSWORD}),
        ("admin_count", {"PK": k.ADMIN_USERS, "SK": k.ENTITY}),
        ("session", {"PK": k.session("{session_id}"), "SK": k.ENTITY}),
        ("login_attempts", {"PK": k.login_attempts("{email}"), "SK": k.ENTITY}),
        ("user_email", {"PK": k.email("{email}"), "SK": k.ENTITY}),
        ("user_sso_id", {"PK": k.sso_id("{sso_user_id}"), "SK": k.ENTITY}),
        ("total", {"PK": k.total("{name}"), "SK": k.total_part("{number}")}),
        ("membership", membership),
        ("platform_limits", {"PK": k.CATALOGUE, "SK": k.PLATFORM_LIMITS}),
        ("tag", {"PK": k.CATALOGUE, "SK": k.tag("{tag}")}),
        ("customer", customer),
        ("customer", blocked_customer),
        ("object_permission", {"PK": k.customer("{customer_id}"), "SK": k.OBJECT_PERMISSION}),
        ("budget", budget),
        *_of_offboarding(k),
    ]


def _of_offboarding(k: Any) -> list[tuple[str, Row]]:
    """Webhooks with their events, and what is left of what was deleted."""
    created = k.by_creation("{created_at}", "{webhook_id}")
    webhook = {"PK": k.webhook("{webhook_id}"), "SK": k.ENTITY, "GSI1PK": k.webhooks_of("{owner_uid}")}
    webhook |= {"GSI1SK": created, "GSI2PK": k.WEBHOOKS, "GSI2SK": created}
    due = {"DUESK": "{due_at}"}
    deleted = k.by_creation("{deleted_at}", "{uid}")
    deletion = {"PK": k.deletion("{uid}"), "SK": k.ENTITY, "GSI1SK": deleted, "DUEPK": k.DELETIONS} | due
    of_team = {"GSI1PK": k.DELETED_TEAMS, "GSI2PK": k.deleted_teams_of("{organization_uid}"), "GSI2SK": deleted}
    return [
        ("webhook", webhook),
        ("event", {"PK": k.event("{event_id}"), "SK": k.ENTITY, "DUEPK": k.DELIVERIES} | due),
        ("deletion", deletion | of_team),
        ("deleted_team", {"PK": k.deletion("{uid}"), "SK": k.ARCHIVE}),
        ("metadata", {"PK": k.deletion("{uid}"), "SK": k.METADATA}),
        ("deletion", deletion | {"GSI1PK": k.DELETED_ORGANIZATIONS}),
    ]


def _usage(k: Any) -> list[tuple[str, Row]]:
    """The rows of usage: buckets, what they are found by, and the sums of closed days."""
    owner, day = k.usage_of(k.USAGE_OWNER, "{owner_uid}"), k.usage_day("{day}", "{owner_uid}", "{dimensions}")
    hour = k.usage_hour("{hour}", "{owner_uid}")
    sliced = {"PK": owner, "SK": day, "GSI2PK": k.usage_slice("{slice}"), "GSI2SK": day}
    of_organization = {"GSI1PK": k.usage_in("{organization_uid}")}
    scopes = {
        k.USAGE_KEY: "{key_id}",
        k.USAGE_USER: "{user_id}",
        k.USAGE_CUSTOMER: "{customer_id}",
        k.USAGE_PROJECT: "{project_id}",
        k.USAGE_TAG: "{tag}",
    }
    whole = k.usage_day("{day}", k.USAGE_ALL_OWNERS, "{dimensions}")
    organization = k.usage_of(k.USAGE_ORGANIZATION, "{organization_uid}")
    return [
        ("usage", sliced | of_organization | {"GSI1SK": day}),
        ("usage", sliced),
        ("usage", {"PK": owner, "SK": hour} | of_organization | {"GSI1SK": hour}),
        ("usage", {"PK": owner, "SK": hour}),
        *(("usage", {"PK": k.usage_of(scope, name), "SK": day}) for scope, name in scopes.items()),
        ("usage", {"PK": owner, "SK": k.USAGE_TOTAL}),
        ("usage_names", {"PK": owner, "SK": k.usage_names("{month}")}),
        ("usage_sum", {"PK": organization, "SK": whole}),
        ("usage_sum", {"PK": organization, "SK": k.usage_team("{day}", "{owner_uid}")}),
        ("usage_sum", {"PK": k.usage_of(k.USAGE_PLATFORM, "platform"), "SK": whole}),
        ("usage_day", {"PK": k.USAGE_DAYS, "SK": "{day}"}),
    ]


def table_under(text: str, heading: str) -> list[Row]:
    """The first Markdown table under a heading, by its column names; backquotes taken off."""
    after = text.split(f"\n{heading}\n", 1)[1]
    lines = after[after.index("\n|") :].strip().split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", sorted(docs.PAGES))
def test_generated_pages_are_what_the_code_gives(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == docs.expected(name), "run `make docs`"


def test_the_chart_is_what_the_builders_give() -> None:
    written = [
        (row["kind"], {name: row[name] for name in KEYS}) for row in table_under(DATA_MODEL, "## 2. Entity chart")
    ]
    rendered = [(kind, {name: unquote(row.get(name, ABSENT)) for name in KEYS}) for kind, row in chart(keys)]
    assert written == rendered


def test_every_builder_has_a_row() -> None:
    builders = Builders()
    chart(builders)
    own = {
        name for name, value in vars(keys).items() if inspect.isfunction(value) and value.__module__ == keys.__name__
    }
    constants = {name for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    assert builders.used == (own | constants) - NO_KEYS


def test_real_items_are_in_the_chart() -> None:
    """The chart against items that the API and the proxy's own code write."""
    empty_table()
    World().build()
    _move_credits()
    log_in("vera@example.com", CANARY)
    log_in("nobody@example.com")
    call("POST", "/key/regenerate", {"key": KNOWN_KEY, "grace_period": "1h"})
    seen = set()
    for item in [*all_items(), *_items_of_a_call(), *_items_of_usage(), *_items_of_events()]:
        rows = [row for kind, row in chart(keys) if kind == item["kind"]]
        assert any(_fits(item, row) for row in rows), item
        seen.add(item["kind"])
    assert seen == {kind for kind, _ in chart(keys)}


def _move_credits() -> None:
    """A refund under an Idempotency-Key, and a team that refills."""
    valid = REQUESTS["RefundCredits"]
    assert valid.before is not None
    valid.before()
    refund = call("POST", "/api/credits/refund", valid.body, headers={"Idempotency-Key": "a"})
    refills = REQUESTS["UpdateCreditSettings"]
    settings = call("PUT", "/api/credits/settings", refills.body, query=refills.query)
    assert (refund.status, settings.status) == (200, 200)


def _items_of_a_call() -> list[dict[str, Any]]:
    """What only calls write: a record, and an account in the sweeper's queue."""
    call_id = ids.new_call_id()
    call = Call(
        call_id, ids.hold_id_of(call_id), Entitlement(1), "fast", streamed=False, started_at=time.time(), expires_at=0
    )
    record = {name: value["S"] for name, value in records.record_item(call).items() if "S" in value}
    account = {"kind": "account", "PK": keys.account("uid"), "SK": keys.counter()}
    return [record, account | {"DUEPK": counters.queue_of("uid"), "DUESK": counters.due(1)}]


def _items_of_events() -> list[dict[str, Any]]:
    """What the stream's consumer writes when it sees the world's job."""
    (job,) = [item for item in raw_items() if item["kind"]["S"] == "job"]
    seen = EventWatcher().see([{"dynamodb": {"SequenceNumber": "1", "NewImage": job}}])
    assert (seen.failed, seen.raised) == (None, 1)
    return [item for item in all_items() if item["kind"] == "event"]


def _items_of_usage() -> list[dict[str, Any]]:
    """What the stream's consumer and the closing of days write."""
    yesterday = datetime.now(UTC) - timedelta(days=2)
    names = {"key_id": "k", "user_id": "u", "customer_id": "c", "project_id": "p", "tags": ["a#b"]}
    calls.counted([calls.record(yesterday, team_uid="t", organization_uid="o", **names), calls.record(yesterday)])
    later = time.time() + 3600
    with patch("time.time", lambda: later):
        close_days.handler({}, None)
    return [item for item in all_items() if item["kind"].startswith("usage")]


def _fits(item: dict[str, Any], row: Row) -> bool:
    optional = {"DUEPK", "DUESK"}
    return all(
        re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^#]+", re.escape(unquote(row[name]))), item[name])
        if name in item and name in row
        else (name not in item and (name not in row or name in optional))
        for name in KEYS
    )


def test_every_function_is_the_caller_of_an_access_pattern() -> None:
    callers = " ".join(row["caller"] for row in table_under(DATA_MODEL, "## 1. Access patterns"))
    handlers = {function.handler.removesuffix(".handler") for function in FUNCTIONS.values()}
    modules = {handler.replace("run.sh", "app").replace(".", "/") for handler in handlers}
    reading = {module for module in modules if not module.startswith("admin/system/")}
    assert {name for name in re.findall(r"[\w/]+", callers) if "/" in name} >= reading - {"authorizer"}
    assert "authorizer" in callers


def test_access_patterns_are_numbered() -> None:
    numbers = [row["#"] for row in table_under(DATA_MODEL, "## 1. Access patterns")]
    assert numbers == [f"AP{number}" for number in range(1, len(numbers) + 1)]


def test_operations_tell_every_parameter_alarm_event_and_metric() -> None:
    raw = (ROOT / "template.yaml").read_text()
    parameters = re.findall(r"^  (\w+):$", raw.split("\nParameters:\n")[1].split("\nRules:\n")[0], re.MULTILINE)
    alarms = re.findall(r"^  (\w+Alarm):$", raw, re.MULTILINE)
    code = "".join(
        path.read_text() for folder in ("functions", "layers/shared/tollgate") for path in (ROOT / folder).rglob("*.py")
    )
    events = [Event[name].value for name in set(re.findall(r"\bEvent\.([A-Z]\w*)", code))]
    counted = re.findall(r"(?<!\.)\bcount(?:_now)?\(\"(\w+)\"", code)
    for heading, names in {
        "## Parameters": parameters,
        "## Alarms": alarms,
        "### Log events": events,
        "### Metrics": [*counted, "ManagementLatency", "AuthorizerErrors", "ApiThrottles"],
    }.items():
        column = next(iter(table_under(OPERATIONS, heading)[0]))
        assert {row[column] for row in table_under(OPERATIONS, heading)} == set(names), heading


def test_readme_tells_every_target_and_variable() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = {row["target"].removeprefix("make ").split()[0] for row in table_under(README, "## Commands")}
    assert told == set(targets)
    source = (ROOT / "local/settings.py").read_text()
    read = set(re.findall(r'environ\.get\("(\w+)"\)|_url\("(\w+)"', source))
    assert {row["variable"] for row in table_under(README, "## Settings of `make run`")} == {a or b for a, b in read}


def test_links_lead_somewhere() -> None:
    anchors = {
        page: {_anchor(line) for line in page.read_text().splitlines() if line.startswith("#")} for page in PAGES
    }
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors[linked], f"{page.name}: {target}"


def _anchor(heading: str) -> str:
    text = heading.lstrip("#").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def test_agents_page_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text().splitlines()) <= 80


def test_decisions_are_numbered_and_complete() -> None:
    by_number = defaultdict(list)
    for path in sorted((ROOT / "docs/decisions").glob("*.md")):
        number, text = path.name[:4], path.read_text()
        by_number[int(number)].append(path.name)
        assert re.match(rf"# {int(number)}\. .+\n\nDate: \d{{4}}-\d\d-\d\d\n", text), path.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Reversibility"], path.name
    assert {number: len(names) for number, names in by_number.items()} == dict.fromkeys(range(1, len(by_number) + 1), 1)


def test_the_dialect_page_names_every_endpoint() -> None:
    page = (ROOT / "docs/litellm-compatibility.md").read_text()
    named = set(re.findall(r"`([A-Z]+ /[^`]+)`", page))
    routes = {
        f"{route.method} {route.path}"
        for route in ROUTES
        if route.function is not None and FUNCTIONS[route.function].handler.startswith("litellm.")
    }
    assert named == routes


def _run_blocks(page: str, port: str, **environment: str) -> list[Any]:
    """The answers of a page's tested commands, none of which is an error."""
    parts = "".join(re.findall(r"<!-- tested -->(.*?)<!-- end -->", page, re.DOTALL))
    script = ""
    for language, block in re.findall(r"```(bash|python)\n(.*?)```", parts, re.DOTALL):
        script += block if language == "bash" else f"export URL KEY\n{sys.executable} - <<'PYTHON'\n{block}PYTHON\n"
    script = script.replace("http://127.0.0.1:8003", f"http://127.0.0.1:{port}")
    script = script.replace("python3 ", f"{sys.executable} ")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [answer for answer in answers if "error" in answer or "detail" in answer] == []
    return answers


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's commands use curl")
def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    """`make run` as a process, and every block between the marks of README and client guide, one after the other."""
    port = str(free_port())
    environment = {**os.environ, "PORT": port}
    environment.pop("UPSTREAM_BASE_URL", None)
    errors = tmp_path / "errors"
    with (
        errors.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "local.run"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        printed = list(iter(process.stdout.readline, "ready\n"))
        assert process.poll() is None, errors.read_text()
        key = next(line.split()[2] for line in printed if line.startswith("team key"))
        asked = _run_blocks(README, port)
        told = _run_blocks((ROOT / "docs/clients.md").read_text(), port, KEY=key)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    balance, budget, usage = asked[-3:]
    assert balance["credits_remaining"] < balance["credits_allocated"]
    assert 0 < budget["spend"] < budget["max_budget"]
    assert usage["summary"]["total_calls"] <= 2
    *_, completed, balance, usage, jobs = told
    assert (completed["status"], completed["costs"]["credit_applied"]) == ("completed", True)
    assert balance["credits_used"] == 1
    assert [job["job_id"] for job in jobs["jobs"]] == [completed["job_id"]]
