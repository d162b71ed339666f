"""Alert rules: who may make them, what they are, and that their secrets never come out (Q-26, Q-39)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, raw_items
from tollgate.alerts import repository
from tollgate.alerts.model import MAX_RULES, CreateAlertRule, UpdateAlertRule
from tollgate.alerts.service import alert_service
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.aws import kms
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.core.pagination import PageRequest
from tollgate.table.transactions import LostRaceError

NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
URL = "https://hooks.example.com/tollgate"
SLACK = "https://hooks.slack.example.com/services/T000/B000/canary-of-slack"
TOPIC = "arn:aws:sns:us-east-1:123456789012:tollgate-alerts"
SECRET = "canary-0123456789abcdef"
ALL_EVENTS = ["budget.threshold", "credits.low", "credits.exhausted", "call.overrun", "error_rate.high"]
ANNE = Principal("anne", ActorKind.USER, organization_roles=(("org_acme", Role.ORG_ADMIN),), organization_id="org_acme")
ZOE = Principal("zoe", ActorKind.USER, organization_roles=(("org_other", Role.ORG_OWNER),), organization_id="org_other")


def made(**fields: Any) -> Answer:
    return call("POST", "/api/alerts", {"channel": "webhook", "url": URL} | fields)


def shown(rule_id: str, **changes: Any) -> dict[str, Any]:
    """The answer about the plainest rule."""
    return {
        "rule_id": rule_id,
        "organization_id": None,
        "team_id": None,
        "name": None,
        "channel": "webhook",
        "url": URL,
        "topic_arn": None,
        "events": ALL_EVENTS,
        "thresholds": None,
        "thresholds_left": None,
        "error_rate_percent": 5,
        "error_rate_min_calls": 50,
        "is_active": True,
        "created_at": NOON,
        "updated_at": NOON,
    } | changes


def opened(rule_id: str) -> str:
    rule = repository.find_rule(rule_id)
    assert rule is not None
    assert rule.ciphertext is not None
    return kms.decrypt(rule.ciphertext, owner_uid=rule.owner_uid or "platform", credential_id=rule_id)


def world() -> None:
    build.organization()
    build.organization("org_other")
    build.team("acme-dev")
    build.team("other-dev", "org_other")


def test_a_webhook_of_the_platform_gets_a_secret_that_is_shown_once(clock: FakeClock) -> None:
    answer = made()
    rule_id, secret = answer.body["rule_id"], answer.body["secret"]
    assert (answer.status, answer.body) == (201, shown(rule_id, secret=secret))
    assert secret.startswith("whsec_")
    assert len(secret) == 54
    assert opened(rule_id) == secret
    again = call("GET", f"/api/alerts/{rule_id}")
    assert (again.status, again.body) == (200, shown(rule_id))
    assert secret not in repr(all_items())
    event = audit_events()[-1]
    assert (event["PK"], event["action"], event["resource_id"]) == ("AUDIT#platform", "alert_rule.created", rule_id)


def test_a_given_secret_is_never_shown(clock: FakeClock) -> None:
    answer = made(secret=SECRET)
    assert answer.body == shown(answer.body["rule_id"], secret=None)
    assert opened(answer.body["rule_id"]) == SECRET
    assert SECRET not in repr(all_items())


def test_the_url_of_slack_is_a_secret(clock: FakeClock) -> None:
    build.organization()
    answer = made(channel="slack", url=SLACK, organization_id="org_acme")
    masked = "https://hooks.slack.example.com/..."
    wanted = shown(answer.body["rule_id"], channel="slack", url=masked, organization_id="org_acme", secret=None)
    assert (answer.status, answer.body) == (201, wanted)
    assert opened(answer.body["rule_id"]) == SLACK
    assert "canary-of-slack" not in repr(all_items())


def test_a_topic(clock: FakeClock) -> None:
    build.organization()
    build.team()
    answer = made(
        channel="sns", url=None, topic_arn=TOPIC, team_id="acme-dev", name="pager", events=["credits.low"],
        thresholds=[80, 50, 80], thresholds_left=[0, 5.5], error_rate_percent=2.5, error_rate_min_calls=7,
        is_active=False,
    )  # fmt: skip
    assert (answer.status, answer.body) == (
        201,
        shown(
            answer.body["rule_id"], channel="sns", url=None, topic_arn=TOPIC, team_id="acme-dev",
            organization_id="org_acme", name="pager", events=["credits.low"], thresholds=[50, 80],
            thresholds_left=[0, 5.5], error_rate_percent=2.5, error_rate_min_calls=7, is_active=False, secret=None,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": None}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://user:pass@example.com"}, "url"),
        ({"topic_arn": TOPIC}, "topic_arn"),
        ({"channel": "slack", "secret": SECRET}, "secret"),
        ({"channel": "sns", "url": None}, "topic_arn"),
        ({"channel": "sns", "topic_arn": TOPIC}, "url"),
        ({"channel": "sns", "url": None, "topic_arn": "arn:aws:sqs:us-east-1:123456789012:q"}, "topic_arn"),
        ({"channel": "email"}, "channel"),
        ({"secret": "short"}, "secret"),
        ({"secret": SECRET + "\n"}, "secret"),
        ({"events": []}, "events"),
        ({"events": ["alert.test"]}, "events.0"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [0]}, "thresholds.0"),
        ({"thresholds": [True]}, "thresholds.0"),
        ({"thresholds_left": [100]}, "thresholds_left.0"),
        ({"error_rate_percent": 101}, "error_rate_percent"),
        ({"error_rate_min_calls": 201}, "error_rate_min_calls"),
        ({"error_rate_min_calls": True}, "error_rate_min_calls"),
        ({"organization_id": "org_acme", "team_id": "acme-dev"}, "team_id"),
    ],
)
def test_what_is_refused_names_the_field(change: dict[str, Any], field: str) -> None:
    answer = made(**change)
    assert answer.status == 422, answer.text
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert SECRET not in answer.text


def test_unknown_owners() -> None:
    answer = made(organization_id="org_nobody")
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Organization 'org_nobody' not found"))
    answer = made(team_id="no-team")
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Team 'no-team' not found"))


def test_an_owner_has_a_limited_number() -> None:
    for _ in range(MAX_RULES):
        assert made().status == 201
    answer = made()
    assert (answer.status, answer.body) == (
        409,
        problem(409, "too_many_alert_rules", f"There are {MAX_RULES} alert rules already"),
    )


def test_update_changes_what_is_sent(clock: FakeClock) -> None:
    rule_id = made(secret=SECRET, thresholds=[10], name="old").body["rule_id"]
    clock.advance(hours=1)
    path = f"/api/alerts/{rule_id}"
    answer = call("PUT", path, {"url": f"{URL}/2", "secret": f"{SECRET}-2", "events": ["call.overrun"], "name": None})
    wanted = shown(rule_id, url=f"{URL}/2", events=["call.overrun"], thresholds=[10], updated_at=ONE)
    assert (answer.status, answer.body) == (200, wanted)
    assert opened(rule_id) == f"{SECRET}-2"
    answer = call("PUT", path, {"events": None, "thresholds": None, "is_active": False})
    assert answer.body == shown(rule_id, url=f"{URL}/2", updated_at=ONE, is_active=False)
    assert call("GET", path).body == answer.body
    event = audit_events()[-1]
    assert event["action"] == "alert_rule.updated"
    assert SECRET not in repr(all_items())


@pytest.mark.parametrize(
    ("change", "field"),
    [({"url": None}, "url"), ({"secret": None}, "secret"), ({"topic_arn": TOPIC}, "topic_arn")],
)
def test_an_address_stays_of_its_channel(change: dict[str, Any], field: str) -> None:
    rule_id = made().body["rule_id"]
    answer = call("PUT", f"/api/alerts/{rule_id}", change)
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == [field]


def test_a_new_url_of_slack_is_sealed_as_well() -> None:
    rule_id = made(channel="slack", url=SLACK).body["rule_id"]
    answer = call("PUT", f"/api/alerts/{rule_id}", {"url": f"{SLACK}-2"})
    assert answer.body["url"] == "https://hooks.slack.example.com/..."
    assert opened(rule_id) == f"{SLACK}-2"


def test_delete() -> None:
    rule_id = made().body["rule_id"]
    answer = call("DELETE", f"/api/alerts/{rule_id}")
    assert (answer.status, answer.body) == (200, {"rule_id": rule_id, "deleted": True})
    answer = call("GET", f"/api/alerts/{rule_id}")
    assert (answer.status, answer.body) == (404, problem(404, "not_found", f"Alert rule '{rule_id}' not found"))
    assert audit_events()[-1]["action"] == "alert_rule.deleted"


def test_the_rules_of_an_owner_end_with_it() -> None:
    world()
    made(team_id="acme-dev")
    made(team_id="acme-dev")
    kept = [made(organization_id="org_acme").body["rule_id"], made(team_id="other-dev").body["rule_id"]]
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    assert {item["rule_id"] for item in all_items() if item["kind"] == "alert_rule"} == set(kept)
    assert [event["action"] for event in audit_events()].count("alert_rule.deleted") == 2
    assert call("DELETE", "/api/teams/other-dev", query={"force": "true"}).status == 200
    assert call("DELETE", "/api/organizations/org_acme").status == 200
    assert [item for item in all_items() if item["kind"] == "alert_rule"] == []


def test_lists_are_by_owner(clock: FakeClock) -> None:
    world()
    owners: list[dict[str, str]] = [{}, {"organization_id": "org_acme"}, {"team_id": "acme-dev"}]
    rules = []
    for owner in owners:
        clock.advance(seconds=1)
        rules.append(made(**owner).body["rule_id"])

    def listed(**query: str) -> list[str]:
        answer = call("GET", "/api/alerts", query=query)
        assert answer.body["next_cursor"] is None
        return [rule["rule_id"] for rule in answer.body["alert_rules"]]

    assert listed() == rules[::-1]
    assert listed(organization_id="org_acme") == [rules[1]]
    assert listed(team_id="acme-dev") == [rules[2]]
    assert listed(organization_id="org_other") == []
    first = call("GET", "/api/alerts", query={"limit": "2"}).body
    second = call("GET", "/api/alerts", query={"limit": "2", "cursor": first["next_cursor"]}).body
    assert [rule["rule_id"] for rule in first["alert_rules"] + second["alert_rules"]] == rules[::-1]


def test_another_tenant_sees_and_changes_nothing() -> None:
    world()
    service = alert_service()
    request = CreateAlertRule(channel="webhook", url=URL, organization_id="org_acme")
    own = service.create(ANNE, request).rule_id
    of_team = service.create(ANNE, CreateAlertRule(channel="webhook", url=URL, team_id="acme-dev")).rule_id
    before = raw_items()
    for rule_id in (own, of_team):
        attempts = (
            lambda rule_id=rule_id: service.get(ZOE, rule_id),
            lambda rule_id=rule_id: service.update(ZOE, rule_id, UpdateAlertRule(is_active=False)),
            lambda rule_id=rule_id: service.delete(ZOE, rule_id),
            lambda rule_id=rule_id: service.test(ZOE, rule_id),
        )
        for attempt in attempts:
            with pytest.raises(NotFoundError, match=f"Alert rule '{rule_id}' not found"):
                attempt()
    page = PageRequest()
    for refused in (
        lambda: service.create(ZOE, request),
        lambda: service.create(ZOE, CreateAlertRule(channel="webhook", url=URL, team_id="acme-dev")),
        lambda: service.create(ZOE, CreateAlertRule(channel="webhook", url=URL)),
        lambda: service.list(ZOE, page, "org_acme", None),
        lambda: service.list(ZOE, page, None, "acme-dev"),
        lambda: service.list(ZOE, page, None, None),
        lambda: service.history(ZOE, page, "org_acme", None, None),
        lambda: service.history(ZOE, page, None, "acme-dev", None),
        lambda: service.history(ZOE, page, None, None, None),
    ):
        with pytest.raises(NotFoundError):
            refused()
    assert raw_items() == before
    assert service.list(ZOE, page, "org_other", None).alert_rules == []
    assert [rule.rule_id for rule in service.list(ANNE, page, "org_acme", None).alert_rules] == [own]


def test_topics_are_the_platforms() -> None:
    """The stack's own role publishes, so a tenant must not choose where."""
    world()
    service = alert_service()
    with pytest.raises(ForbiddenError):
        service.create(ANNE, CreateAlertRule(channel="sns", topic_arn=TOPIC, organization_id="org_acme"))
    rule_id = made(channel="sns", url=None, topic_arn=TOPIC, organization_id="org_acme").body["rule_id"]
    with pytest.raises(ForbiddenError):
        service.update(ANNE, rule_id, UpdateAlertRule(topic_arn=f"{TOPIC}-2"))


def test_a_test_goes_into_the_outbox(clock: FakeClock) -> None:
    world()
    rule_id = made(team_id="acme-dev").body["rule_id"]
    answer = call("POST", f"/api/alerts/{rule_id}/test")
    alert_id = answer.body["alert_id"]
    assert (answer.status, answer.body) == (202, {"rule_id": rule_id, "alert_id": alert_id, "state": "pending"})
    assert audit_events()[-1]["action"] == "alert_rule.tested"
    (entry,) = call("GET", "/api/alerts/history", query={"team_id": "acme-dev"}).body["alerts"]
    wanted = {
        "alert_id": alert_id, "event": "alert.test", "litellm_event": "alert.test", "event_group": "team",
        "event_message": "This is a test of an alert rule", "created_at": NOON, "scope": "team",
        "scope_id": "acme-dev", "team_id": "acme-dev", "organization_id": "org_acme", "attempts": 0,
        "deliveries": [{"rule_id": rule_id, "channel": "webhook", "state": "pending", "error": None, "at": None}],
    }  # fmt: skip
    assert {name: value for name, value in entry.items() if value is not None} == wanted


def test_an_inactive_rule_is_not_tested() -> None:
    rule_id = made(is_active=False).body["rule_id"]
    answer = call("POST", f"/api/alerts/{rule_id}/test")
    assert (answer.status, answer.body) == (
        409,
        problem(409, "alert_rule_inactive", "The alert rule is not active"),
    )


def test_history_is_by_owner_and_event(clock: FakeClock) -> None:
    world()
    tested: dict[str, str] = {}
    for name, owner in {
        "platform": {},
        "acme": {"organization_id": "org_acme"},
        "dev": {"team_id": "acme-dev"},
        "other": {"team_id": "other-dev"},
    }.items():
        clock.advance(seconds=1)
        rule_id = made(**owner).body["rule_id"]
        tested[name] = call("POST", f"/api/alerts/{rule_id}/test").body["alert_id"]

    def found(**query: str) -> list[str]:
        answer = call("GET", "/api/alerts/history", query=query)
        assert answer.status == 200, answer.text
        names = {alert_id: name for name, alert_id in tested.items()}
        return [names[entry["alert_id"]] for entry in answer.body["alerts"]]

    assert found() == ["other", "dev", "acme", "platform"]
    assert found(organization_id="org_acme") == ["dev", "acme"]
    assert found(team_id="acme-dev") == ["dev"]
    assert found(event="alert.test", organization_id="org_other") == ["other"]
    assert found(event="call.overrun") == []


def test_a_change_of_what_was_changed_meanwhile_is_lost() -> None:
    rule_id = made().body["rule_id"]
    stale = repository.find_rule(rule_id)
    assert stale is not None
    assert call("PUT", f"/api/alerts/{rule_id}", {"name": "first"}).status == 200
    event = AuditEvent(ANNE, "alert_rule.updated", "alert_rule", rule_id, stale.updated_at)
    with pytest.raises(LostRaceError):
        repository.update_rule(replace(stale, name="second"), event)
    assert call("GET", f"/api/alerts/{rule_id}").body["name"] == "first"
