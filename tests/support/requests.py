"""One valid request for every admin endpoint, and the world in which it is valid.

The battery sends it whole, broken and by the wrong callers. A new endpoint gets all of that for one entry in
``REQUESTS``; without one a test fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support import build
from tests.support.api import ROUTES, call
from tests.support.environment import empty_table
from tests.support.items import put_raw, raw_items

CANARY = "sk-canary-3f1b9c"
_VARIABLE = re.compile(r"\{(\w+)\+?\}")

# Values that no item of the world has.
UNKNOWN = {
    "organization_id": "org_nobody",
    "team_id": "no-team",
    "key_id": "0" * 64,
    "alias": "no-alias",
    "group_name": "no-group",
    "credential_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "provider": "anthropic",
}


@dataclass(frozen=True)
class Valid:
    """A request that succeeds in the world. ``before`` brings it about where the world alone does not."""

    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    status: int = 200
    before: Callable[[], object] | None = None


@dataclass(frozen=True)
class Endpoint:
    """One method of one path of the API."""

    method: str
    template: str
    function: str

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def variables(self) -> list[str]:
        return _VARIABLE.findall(self.template)

    @property
    def valid(self) -> Valid:
        return REQUESTS[self.function.removesuffix("Function")]

    def path(self, values: dict[str, str]) -> str:
        """The path with its variables filled in, as a client sends it."""
        return _VARIABLE.sub(lambda match: values[match[1]], self.template)


@dataclass
class World:
    """Two tenants with everything that a path can name; ``values`` are the ids of the first."""

    values: dict[str, str] = field(default_factory=dict)
    team_key: str = ""
    sister_key: str = ""
    foreign_key: str = ""
    dirty: bool = True
    items: list[dict[str, Any]] = field(default_factory=list)

    def build(self) -> None:
        """Makes the world, through the API the first time and from memory after that."""
        empty_table()
        if self.items:
            put_raw(self.items)
        else:
            self._create()
            self.items = raw_items()
        self.dirty = False

    def _create(self) -> None:
        build.organization("org_acme")
        build.organization("org_other")
        build.alias("fast")
        build.access_group("acme-models", model_aliases=["fast"])
        self.team_key = build.team("acme-dev", access_groups=["acme-models"], credits_allocated=100)["virtual_key"]
        self.sister_key = build.team("acme-prod")["virtual_key"]
        self.foreign_key = build.team("other-dev", "org_other")["virtual_key"]
        credential = build.provider_credential(organization_id="org_acme", api_key=CANARY)
        self.values = {
            "organization_id": "org_acme",
            "team_id": "acme-dev",
            "key_id": build.issued_key("acme-dev")["key_id"],
            "alias": "fast",
            "group_name": "acme-models",
            "credential_id": credential["credential_id"],
            "provider": "openai",
        }

    def changed(self) -> bool:
        """Whether the table is another one than that which was built."""
        return sorted(raw_items(), key=_key) != sorted(self.items, key=_key)

    @property
    def secrets(self) -> list[str]:
        """What may never be seen again."""
        return [self.team_key, self.sister_key, self.foreign_key, CANARY]


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["PK"]["S"], item["SK"]["S"]


def _suspend_teams() -> None:
    for team in ("acme-dev", "acme-prod"):
        call("POST", f"/api/teams/{team}/suspend")


_TEAM = {"team_id": "acme-dev"}

REQUESTS: dict[str, Valid] = {
    "CreateOrganization": Valid({"organization_id": "org_new", "name": "New", "metadata": {"tier": "gold"}}),
    "ListOrganizations": Valid(query={"search": "acme", "status": "active", "limit": "5", "offset": "0"}),
    "GetOrganization": Valid(),
    "UpdateOrganization": Valid({"name": "Renamed", "metadata": {}}),
    "DeleteOrganization": Valid(before=_suspend_teams),
    "SetOrganizationStatus": Valid({"status": "suspended", "reason": "unpaid"}),
    "ListOrganizationTeams": Valid(query={"limit": "5"}),
    "CreateTeam": Valid(
        {
            "organization_id": "org_acme",
            "team_id": "acme-new",
            "team_alias": "New",
            "access_groups": ["gpt-models"],
            "credits_allocated": 5,
            "budget_mode": "consumption_usd",
            "credits_per_dollar": 20,
            "tokens_per_credit": 500,
            "cost_markup_percentage": 12.5,
            "metadata": {"a": 1},
        }
    ),
    "ListTeams": Valid(query={"organization_id": "org_acme", "search": "acme", "status": "active", "limit": "5"}),
    "GetTeam": Valid(),
    "UpdateTeam": Valid(
        {
            "team_alias": "Renamed",
            "access_groups": ["claude-models"],
            "budget_mode": "consumption_tokens",
            "credits_per_dollar": 20,
            "tokens_per_credit": 500,
            "cost_markup_percentage": 12.5,
            "metadata": {"a": 1},
        }
    ),
    "DeleteTeam": Valid(query={"force": "true"}),
    "SuspendTeam": Valid({"reason": "unpaid"}),
    "ResumeTeam": Valid({"reason": "paid"}),
    "PauseTeam": Valid({"reason": "maintenance"}),
    "RotateTeamKey": Valid(),
    "IssueKey": Valid({"key_alias": "ci", "duration": "30d", "models": ["fast"]}),
    "ListKeys": Valid(query={"limit": "5"}),
    "RevokeKey": Valid(),
    "AddCredits": Valid({"team_id": "acme-dev", "amount": 5, "description": "top-up"}),
    "GetCreditBalance": Valid(query=_TEAM),
    "ListCreditTransactions": Valid(query=_TEAM | {"limit": "5"}),
    "CreateModelAlias": Valid(
        {
            "alias": "slow",
            "litellm_model": "openai/gpt-4o",
            "description": "thinks",
            "active": True,
            "display_name": "Slow",
            "fallbacks": ["openai/gpt-4o-mini"],
            "pricing_input": 2.5,
            "pricing_output": 10,
            "max_output_tokens": 1000,
            "mode": "chat",
        }
    ),
    "ListModelAliases": Valid(query={"limit": "5"}),
    "GetModelAlias": Valid(),
    "UpdateModelAlias": Valid({"litellm_model": "openai/gpt-4o", "description": "other", "active": False}),
    "DeleteModelAlias": Valid(),
    "CreateAccessGroup": Valid({"group_name": "new-models", "description": "new", "model_aliases": ["fast"]}),
    "ListAccessGroups": Valid(),
    "GetAccessGroup": Valid(),
    "UpdateAccessGroup": Valid({"description": "other", "model_aliases": ["fast"]}),
    "DeleteAccessGroup": Valid(),
    "AddModelsToAccessGroup": Valid({"model_aliases": ["gpt-*"]}),
    "RemoveModelsFromAccessGroup": Valid({"model_aliases": ["fast"]}),
    "CreateProviderCredential": Valid(
        {
            "organization_id": "org_acme",
            "provider": "anthropic",
            "credential_name": "second",
            "api_key": CANARY,
            "api_base": "https://llm.example.com/v1",
            "options": {"region": "eu"},
        },
        status=201,
    ),
    "ListProviderCredentials": Valid(query={"limit": "5"}),
    "ListOrganizationCredentials": Valid(),
    "GetActiveCredential": Valid(),
    "GetProviderCredential": Valid(),
    "UpdateProviderCredential": Valid({"credential_name": "renamed", "api_key": CANARY}),
    "DeleteProviderCredential": Valid(),
    "ActivateProviderCredential": Valid(),
    "DeactivateProviderCredential": Valid(),
    "ListAuditLogs": Valid(query={"limit": "5"}),
    "Health": Valid(),
    "OpenApi": Valid(),
    "SwaggerUi": Valid(),
    "Redoc": Valid(),
}


def admin_endpoints() -> list[Endpoint]:
    """Every endpoint of ``template.yaml`` that the admin functions answer."""
    return [
        Endpoint(route.method, route.path, route.function)
        for route in ROUTES
        if route.function is not None and not route.streaming
    ]
