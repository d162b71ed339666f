"""Who may do what by LiteLLM's API: every route of the dialect by every kind of caller (contract litellm 2; Q-08, Q-09).

Written by hand; ``tests/litellm/test_roles.py`` holds the handlers to it, and ``docs/litellm-roles.md`` shows it. The
request is the valid one of ``tests/support/requests.py``, which names the first tenant's things, unless a row says
otherwise. A new route needs its row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support import build
from tests.support.api import NOBODY, call, key
from tests.support.requests import KNOWN_KEY, World

# By what user's key they come, in the order of a row's statuses. ``dan`` is a plain member of the first organization.
CALLERS = {
    "platform admin": "adam",
    "platform viewer": "vic",
    "organization admin": "olga",
    "internal user": "uma",
    "internal viewer": "una",
    "team admin": "tess",
    "team member": "tim",
    "team's own key": "",
    "foreign organization admin": "omar",
    "nobody": "",
}
# What a row's request has for the id of whoever calls.
ME = "{me}"
# For the status of a bulk answer, which is 200, in which every item is refused by itself.
EACH_REFUSED = 207
_DAYS = {"start_date": "2026-03-01", "end_date": "2026-03-02"}


@dataclass(frozen=True)
class Row:
    """What the callers of ``CALLERS`` are answered; ``what`` tells rows of one route apart."""

    route: str
    statuses: str
    what: str = ""
    request: dict[str, Any] | None = None
    path: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.route} ({self.what})" if self.what else self.route

    def expected(self) -> list[int]:
        return [int(status) for status in self.statuses.split()]

    def sent(self, user_id: str) -> dict[str, Any]:
        """``body`` and ``query`` of the row's own request, as that user sends it."""
        return {
            part: {name: user_id if value == ME else value for name, value in values.items()}
            for part, values in (self.request or {}).items()
        }


@dataclass
class Cast(World):
    """The world of the battery with a caller of each kind, who comes with a key of his own."""

    keys: dict[str, str] = field(default_factory=dict)

    def _create(self) -> None:
        super()._create()
        build.user("adam", role="platform_admin")
        build.user("vic", role="platform_viewer")
        build.user("una", role="member_viewer")
        for name in ("olga", "uma", "tess", "tim", "omar"):
            build.user(name)
        build.member("organization-member", "org_acme", "olga", role="org_admin")
        build.member("organization-member", "org_other", "omar", role="org_admin")
        build.member("team-member", "acme-dev", "tess", role="team_admin")
        build.member("team-member", "acme-dev", "tim", max_budget=5)
        build.user("dan")
        build.member("organization-member", "org_acme", "dan", role="org_developer")
        for caller, user_id in CALLERS.items():
            if user_id:
                self.keys[caller] = call("POST", "/key/generate", {"user_id": user_id}).body["key"]
        self.keys["team's own key"] = self.team_key

    def caller(self, name: str) -> dict[str, str] | None:
        return key(self.keys[name]) if name in self.keys else NOBODY


# Who is who, above: platform admin and viewer; organization's admin; internal user and viewer; team's admin, member and
# own key; another organization's admin; nobody.
ROWS = [
    Row("POST /budget/new", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /budget/update", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /budget/info", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /budget/list", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /budget/settings", "200 200 401 401 401 401 401 401 401 401"),
    Row("POST /budget/delete", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /organization/new", "200 403 401 401 401 401 401 401 401 401"),
    Row("PATCH /organization/update", "200 403 403 401 401 401 401 401 403 401", "its limits, too"),
    Row(
        "PATCH /organization/update",
        "200 403 200 401 401 401 401 401 403 401",
        "its name",
        {"body": {"organization_id": "org_acme", "organization_alias": "ACME"}},
    ),
    Row("PATCH /v2/organization/{organization_id}", "200 403 401 401 401 401 401 401 401 401"),
    Row("DELETE /organization/delete", "200 403 401 401 401 401 401 401 401 401"),
    Row("GET /organization/list", "200 200 200 200 200 200 200 401 200 401", "those that one is in"),
    Row("GET /organization/info", "200 200 200 401 401 401 401 401 403 401"),
    Row("POST /organization/info", "200 200 200 401 401 401 401 401 403 401"),
    Row("POST /organization/member_add", "200 403 200 401 401 401 401 401 401 401"),
    Row("PATCH /organization/member_update", "200 403 403 401 401 401 401 401 401 401", "an owner"),
    Row(
        "PATCH /organization/member_update",
        "200 403 200 401 401 401 401 401 401 401",
        "a plain member",
        {"body": {"organization_id": "org_acme", "user_id": "dan", "role": "internal_user_viewer"}},
    ),
    Row("DELETE /organization/member_delete", "200 403 200 401 401 401 401 401 401 401"),
    Row("POST /key/generate", "200 403 403 401 401 403 401 401 401 401", "with what only the platform gives"),
    Row(
        "POST /key/generate",
        "200 403 200 200 403 200 200 401 200 401",
        "for oneself",
        {"body": {"user_id": ME}},
    ),
    Row(
        "POST /key/generate",
        "200 403 200 401 401 200 401 401 401 401",
        "for a team",
        {"body": {"team_id": "acme-dev"}},
    ),
    Row("POST /key/service-account/generate", "200 403 200 401 401 200 401 401 401 401"),
    Row("POST /key/update", "200 403 403 403 403 403 401 401 403 401", "with what only the platform gives"),
    Row(
        "POST /key/update",
        "200 403 200 403 403 200 401 401 403 401",
        "a limit",
        {"body": {"key": KNOWN_KEY, "max_budget": 5}},
    ),
    Row("POST /key/delete", "200 403 200 403 403 200 401 401 403 401"),
    Row("GET /key/info", "200 200 200 403 403 200 200 403 403 401", "a key of the team"),
    Row("GET /key/info", "200 200 200 200 200 200 200 200 200 401", "one's own", {"query": {}}),
    Row("POST /v2/key/info", "200 200 200 200 200 200 200 200 200 401", "those that one may see"),
    Row("GET /key/list", "200 200 200 200 200 200 200 200 200 401", "those that one may see"),
    Row("GET /key/aliases", "200 200 200 403 403 200 403 403 403 401", "of a team"),
    Row("POST /key/block", "200 403 200 403 403 200 401 401 403 401"),
    Row("POST /key/unblock", "200 403 200 403 403 200 401 401 403 401"),
    Row("POST /key/regenerate", "200 403 200 403 403 200 401 401 403 401"),
    Row("POST /key/{key}/regenerate", "200 403 200 403 403 200 401 401 403 401"),
    Row("POST /key/{key}/reset_spend", "200 403 200 401 401 200 401 401 403 401"),
    Row("POST /key/bulk_update", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /key/health", "200 200 200 200 200 200 200 200 200 401", "of one's own key"),
    Row("POST /team/new", "200 403 200 401 401 401 401 401 401 401"),
    Row(
        "POST /team/update",
        "200 403 200 401 401 200 401 401 403 401",
        "its name and what members get",
        {"body": {"team_id": "acme-dev", "team_alias": "Ours", "team_member_budget": 5}},
    ),
    Row(
        "POST /team/update",
        "200 403 200 401 401 403 401 401 403 401",
        "its limits, too",
        {"body": {"team_id": "acme-dev", "team_alias": "Ours", "max_budget": 5}},
    ),
    Row(
        "POST /team/update",
        "200 403 200 401 401 403 401 401 403 401",
        "its models",
        {"body": {"team_id": "acme-dev", "models": ["fast"]}},
    ),
    Row(
        "PATCH /team/{team_id}",
        "200 403 200 401 401 200 401 401 403 401",
        "its name",
        {"body": {"team_alias": "Ours"}},
    ),
    Row(
        "PATCH /team/{team_id}",
        "200 403 200 401 401 403 401 401 403 401",
        "its limits",
        {"body": {"rpm_limit": 5}},
    ),
    Row("POST /team/delete", "200 403 403 401 401 401 401 401 403 401", "one of them another's"),
    Row(
        "POST /team/delete",
        "200 403 200 401 401 401 401 401 403 401",
        request={"body": {"team_ids": ["acme-dev"]}},
    ),
    Row("POST /team/block", "200 403 200 401 401 401 401 401 403 401"),
    Row("POST /team/unblock", "200 403 200 401 401 401 401 401 403 401"),
    Row("POST /team/member_add", "200 403 200 403 403 200 403 403 403 401"),
    Row("POST /team/member_update", "200 403 200 401 401 200 401 401 403 401"),
    Row("POST /team/member_delete", "200 403 200 401 401 200 401 401 403 401"),
    Row(
        "POST /team/bulk_member_add",
        "200 403 200 401 401 200 401 401 403 401",
        request={"body": {"team_id": "acme-dev", "members": [{"role": "user", "user_id": "dan"}]}},
    ),
    Row("POST /team/model/add", "200 403 200 401 401 401 401 401 403 401"),
    Row("POST /team/model/delete", "200 403 200 401 401 401 401 401 403 401"),
    Row("GET /team/info", "200 200 200 403 403 200 200 200 403 401"),
    Row("GET /team/list", "200 200 200 401 401 401 401 401 401 401", "of an organization"),
    Row("GET /team/list", "200 200 200 200 200 200 200 401 200 401", "one's own", {"query": {"user_id": ME}}),
    Row("GET /v2/team/list", "200 200 401 401 401 401 401 401 401 401", "all"),
    Row("GET /v2/team/list", "200 200 200 200 200 200 200 401 200 401", "one's own", {"query": {"user_id": ME}}),
    Row("GET /team/permissions_list", "200 200 200 401 401 200 401 401 403 401"),
    Row("POST /team/permissions_update", "200 403 200 401 401 200 401 401 403 401"),
    Row("GET /team/available", "200 200 200 200 200 200 200 200 200 401"),
    Row("GET /team/{team_id}/members/me", "404 404 404 404 404 200 200 404 404 401", "as a member of it"),
    Row(
        "POST /team/{team_id}/member/{user_id}/reset_spend",
        "200 403 200 401 401 200 401 401 403 401",
        path={"user_id": "tim"},
    ),
    Row("POST /team/key/bulk_update", "200 403 200 207 207 200 207 401 207 401"),
    Row("POST /customer/new", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /customer/update", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /customer/delete", "200 403 401 401 401 401 401 401 401 401"),
    Row("GET /customer/info", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /customer/list", "200 200 401 401 401 401 401 401 401 401"),
    Row("POST /customer/block", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /customer/unblock", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /user/new", "200 403 403 401 401 401 401 401 401 401", "with what only the platform gives"),
    Row(
        "POST /user/new",
        "200 403 200 401 401 401 401 401 401 401",
        "of an organization",
        {"body": {"user_email": "new@example.com", "organizations": ["org_acme"]}},
    ),
    Row("POST /user/update", "200 403 200 403 403 403 403 401 403 401", "a member of the organization"),
    Row(
        "POST /user/update",
        "200 200 200 200 200 200 200 401 200 401",
        "oneself",
        {"body": {"user_id": ME, "user_alias": "Me"}},
    ),
    Row("POST /user/delete", "200 403 403 401 401 401 401 401 403 401", "one in no organization"),
    Row(
        "POST /user/delete",
        "200 403 200 401 401 401 401 401 403 401",
        "a member of the organization",
        {"body": {"user_ids": ["dan"]}},
    ),
    Row("POST /user/bulk_update", "200 403 401 401 401 401 401 401 401 401"),
    Row("GET /user/info", "200 200 200 403 403 403 403 403 403 401", "a member of the organization"),
    Row("GET /user/info", "200 200 200 200 200 200 200 403 200 401", "oneself", {"query": {"user_id": ME}}),
    Row("GET /v2/user/info", "200 200 200 403 403 403 403 403 403 401", "a member of the organization"),
    Row("GET /user/list", "200 200 200 403 403 403 403 403 200 401", "those of one's organizations"),
    Row("GET /user/available_roles", "200 200 200 200 200 200 200 200 200 401"),
    Row("GET /spend/logs", "200 200 200 200 200 200 200 401 200 401", "those that one may see"),
    Row("GET /spend/logs/v2", "200 200 200 403 403 200 200 401 403 401", "of a team"),
    Row("GET /spend/keys", "200 200 200 200 200 200 200 401 200 401", "those that one may see"),
    Row("GET /spend/users", "200 200 200 200 200 200 200 401 200 401", "those that one may see"),
    Row("GET /spend/tags", "200 200 401 401 401 401 401 401 401 401"),
    Row("POST /spend/calculate", "200 200 200 200 200 200 200 401 200 401"),
    Row("GET /global/spend/report", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /global/spend", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /global/spend/logs", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /global/spend/keys", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /global/spend/models", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /global/spend/teams", "200 200 401 401 401 401 401 401 401 401"),
    Row("POST /global/spend/reset", "401 401 401 401 401 401 401 401 401 401", "the master key alone"),
    Row("GET /user/daily/activity", "200 200 403 403 403 403 403 401 403 401", "another's"),
    Row(
        "GET /user/daily/activity",
        "200 200 200 200 200 200 200 401 200 401",
        "one's own",
        {"query": _DAYS | {"user_id": ME}},
    ),
    Row("GET /team/daily/activity", "200 200 200 404 404 404 404 401 404 401", "of several teams"),
    Row(
        "GET /team/daily/activity",
        "200 200 200 404 404 200 200 401 404 401",
        "of a team",
        {"query": _DAYS | {"team_ids": "acme-dev"}},
    ),
    Row("GET /organization/daily/activity", "200 200 200 403 403 403 403 401 403 401"),
    Row("GET /customer/daily/activity", "200 200 401 401 401 401 401 401 401 401"),
    Row("POST /model/new", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /model/update", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /model/delete", "200 403 401 401 401 401 401 401 401 401"),
    Row("PATCH /model/{model_id}/update", "200 403 401 401 401 401 401 401 401 401"),
    Row("GET /model/info", "200 200 200 200 200 200 200 200 200 401", "those that one may call"),
    Row("GET /v2/model/info", "200 200 200 200 200 200 200 200 200 401", "those that one may call"),
    Row("GET /model_group/info", "200 200 200 200 200 200 200 200 200 401", "those that one may call"),
    Row("GET /credentials", "200 200 403 401 401 401 401 401 403 401"),
    Row("POST /credentials", "200 403 403 401 401 401 401 401 403 401"),
    Row("GET /credentials/by_name/{credential_name}", "200 200 403 401 401 401 401 401 403 401"),
    Row("PATCH /credentials/{credential_name}", "200 403 403 401 401 401 401 401 403 401"),
    Row("DELETE /credentials/{credential_name}", "200 403 403 401 401 401 401 401 403 401"),
    Row("GET /audit", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /audit/{audit_id}", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /health/services", "200 403 401 401 401 401 401 401 401 401", "it sends a test"),
    Row("GET /health/liveliness", "200 200 200 200 200 200 200 200 200 200"),
    Row("GET /health/readiness", "200 200 200 200 200 200 200 200 200 200"),
    Row("GET /health/readiness/details", "200 200 401 401 401 401 401 401 401 401"),
    Row("GET /routes", "200 200 200 200 200 200 200 200 200 200"),
    Row("GET /test", "200 200 200 200 200 200 200 200 200 200"),
    Row("POST /management/v1/organizations/bulk", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /management/v1/organizations/bulk_update", "200 403 207 401 401 401 401 401 207 401"),
    Row("POST /management/v1/organizations/bulk_delete", "200 403 401 401 401 401 401 401 401 401"),
    Row("POST /management/v1/teams/bulk", "200 403 200 401 401 401 401 401 207 401"),
    Row("POST /management/v1/teams/bulk_update", "200 403 200 401 401 401 401 401 207 401"),
    Row("POST /management/v1/teams/bulk_delete", "200 403 200 401 401 401 401 401 207 401"),
    Row("POST /management/v1/users/bulk", "200 403 207 401 401 401 401 401 207 401"),
    Row("POST /management/v1/users/bulk_update", "200 403 200 401 401 401 401 401 207 401"),
    Row(
        "POST /management/v1/users/bulk_delete",
        "200 403 200 401 401 401 401 401 207 401",
        "a member of the organization",
        {"body": {"items": [{"user_id": "dan"}]}},
    ),
    Row("POST /management/v1/keys/bulk", "200 403 200 207 207 200 207 401 207 401"),
    Row("POST /management/v1/keys/bulk_update", "200 403 200 207 207 200 207 401 207 401"),
    Row("POST /management/v1/keys/bulk_delete", "200 403 200 207 207 200 207 401 207 401"),
    Row("POST /management/v1/teams/{team_id}/members/bulk", "200 403 207 401 401 207 401 401 207 401"),
    Row("POST /management/v1/teams/{team_id}/members/bulk_update", "200 403 200 401 401 200 401 401 207 401"),
    Row("POST /management/v1/teams/{team_id}/members/bulk_delete", "200 403 200 401 401 200 401 401 207 401"),
]
