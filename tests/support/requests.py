"""One valid request for every admin endpoint, and the world in which it is valid.

The battery sends it whole, broken and by the wrong callers. A new endpoint gets all of that for one entry in
``REQUESTS``; without one a test fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.support import build
from tests.support.api import FUNCTIONS, ROUTES, call
from tests.support.dialect_requests import DIALECT_REQUESTS
from tests.support.environment import empty_table, restore
from tests.support.items import put_raw, raw_items
from tests.support.valid import CANARY, KNOWN_KEY, LIMITS, SPAN, Valid
from tollgate.core import ids
from tollgate.table import keys

INTERRUPTED = "019283f1-7a00-7000-8000-00000000abcd"
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
    "scope": "planet",
    "scope_id": "no-team",
    "rule_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "webhook_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "organization_uid": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "team_uid": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "job_id": "019283f1-7a00-7000-8000-00000000beef",
    "audit_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "user_id": "no-user",
    "key": "0" * 64,
    "model_id": "no-model",
    "credential_name": "no-credential",
}


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
        if self.items:
            restore(self.items)
        else:
            empty_table()
            self._create()
            self.items = raw_items()
        self.dirty = False

    def _create(self) -> None:
        build.organization("org_acme")
        build.organization("org_other", object_permission={"vector_stores": ["docs"]})
        build.alias("fast")
        build.access_group("acme-models", model_aliases=["fast"])
        build.model("smart", "openai/gpt-4o", model_info={"id": "known-model"})
        self.team_key = build.team("acme-dev", access_groups=["acme-models"], credits_allocated=100)["virtual_key"]
        self.sister_key = build.team("acme-prod", model_groups=["fast"])["virtual_key"]
        self.foreign_key = build.team("other-dev", "org_other")["virtual_key"]
        build.budget("shared", "starter", max_budget=50, budget_duration="1mo")
        build.budget("customer", "end-user-7", rpm_limit=10)
        build.budget("tag", "batch", max_budget=20)
        build.budget("platform", "platform", rpm_limit=100_000)
        build.user("ana", email="ana@example.com", sso_user_id="sso-ana")
        build.member("team-member", "acme-dev", "ana")
        build.member("organization-member", "org_acme", "ana", role="org_owner")
        credential = build.provider_credential(organization_id="org_acme", api_key=CANARY)
        rule = build.alert_rule(team_id="acme-dev", secret=CANARY)
        call("POST", f"/api/alerts/{rule['rule_id']}/test")
        build.organization("org_gone")
        build.team("gone-dev", "org_gone")
        call("POST", "/api/teams/gone-dev/suspend")
        call("DELETE", "/api/organizations/org_gone")
        gone = call("GET", "/api/organizations", query={"status": "deleted"}).body["organizations"][0]["uid"]
        gone_team = call("GET", "/api/teams", query={"status": "deleted"}).body["teams"][0]["uid"]
        known = {"key": KNOWN_KEY, "key_alias": "known", "team_id": "acme-dev", "user_id": "ana", "max_budget": 10}
        call("POST", "/key/generate", known)
        self.values = {
            "organization_uid": gone,
            "key": KNOWN_KEY,
            "team_uid": gone_team,
            "organization_id": "org_acme",
            "team_id": "acme-dev",
            "key_id": build.issued_key("acme-dev")["key_id"],
            "alias": "fast",
            "group_name": "acme-models",
            "credential_id": credential["credential_id"],
            "provider": "openai",
            "scope": "team",
            "scope_id": "acme-dev",
            "rule_id": rule["rule_id"],
            "webhook_id": build.webhook(team_id="acme-dev", auth_header=CANARY)["webhook_id"],
            "job_id": build.job("acme-dev")["job_id"],
            "audit_id": call("GET", "/api/audit-logs").body["audit_logs"][0]["audit_id"],
            "user_id": build.admin_user("vera@example.com", password=CANARY)["user_id"],
            "model_id": "known-model",
            "credential_name": "known-credential",
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


def _end_jobs() -> None:
    for job in call("GET", "/api/jobs", query=_TEAM | {"status": "pending"}).body["jobs"]:
        call("POST", f"/api/jobs/{job['job_id']}/cancel")


def _suspend_teams() -> None:
    _end_jobs()
    for team in ("acme-dev", "acme-prod"):
        call("POST", f"/api/teams/{team}/suspend")


def _interrupted_call() -> None:
    """The record of a call whose process died, charged as reserved."""
    (uid,) = [item["uid"]["S"] for item in raw_items() if item["PK"]["S"] == keys.team("acme-dev") and "uid" in item]
    record = {
        "PK": keys.call(ids.hold_id_of(INTERRUPTED)),
        "SK": keys.ENTITY,
        "GSI1PK": keys.calls_of(uid, "2024-10-31"),
        "GSI1SK": INTERRUPTED,
        "kind": "call",
        "call_id": INTERRUPTED,
        "team_uid": uid,
        "outcome": "interrupted",
    }
    put_raw([{name: {"S": value} for name, value in record.items()} | {"credits_charged": {"N": "0.75"}}])


_TEAM = {"team_id": "acme-dev"}
_TEAM_SETTINGS = {
    "model_access": "listed",
    "blocked": False,
    "team_member_permissions": ["/key/generate"],
    "object_permission": {"vector_stores": ["docs"]},
}
REQUESTS: dict[str, Valid] = {
    **DIALECT_REQUESTS,
    "CreateOrganization": Valid(
        {
            "organization_id": "org_new",
            "name": "New",
            "metadata": {"tier": "gold"},
            "tags": ["gold"],
            "models": ["fast", "openai/*"],
            "model_aliases": {"quick": "fast"},
            "blocked": False,
            **LIMITS,
        }
    ),
    "ListOrganizations": Valid(query={"search": "acme", "status": "active", "limit": "5", "offset": "0"}),
    "GetOrganization": Valid(),
    "UpdateOrganization": Valid(
        {
            "name": "Renamed",
            "metadata": {},
            "tags": ["gold"],
            "rollover": "next",
            "models": ["fast"],
            "model_aliases": {},
            "blocked": True,
            **LIMITS,
        }
    ),
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
            "charge_failed_jobs": True,
            "metadata": {"a": 1},
            "tags": ["batch"],
            **_TEAM_SETTINGS,
            **LIMITS,
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
            "charge_failed_jobs": True,
            "metadata": {"a": 1},
            "tags": ["batch"],
            **_TEAM_SETTINGS,
            **LIMITS,
        }
    ),
    "DeleteTeam": Valid(query={"force": "true"}),
    "SuspendTeam": Valid({"reason": "unpaid"}),
    "ResumeTeam": Valid({"reason": "paid"}),
    "PauseTeam": Valid({"reason": "maintenance"}),
    "RotateTeamKey": Valid(),
    "UpdateTeamMarkup": Valid(
        {
            "cost_markup_percentage": 12.5,
            "budget_mode": "consumption_usd",
            "credits_per_dollar": 20,
            "tokens_per_credit": 500,
            "credit_price_usd": 0.09,
        }
    ),
    "SetTeamModelGroups": Valid({"model_groups": ["gpt-models", "fast"]}),
    # The master key is no team's.
    "VerifyKey": Valid(status=403),
    "IssueKey": Valid(
        {
            "key_alias": "ci",
            "duration": "30d",
            "models": ["fast"],
            "user_id": "ana",
            "tags": ["ci"],
            "metadata": {"a": 1},
            **LIMITS,
        }
    ),
    "UpdateKey": Valid(
        {
            "key_alias": "renamed",
            "blocked": True,
            "expires_at": "2099-01-01T00:00:00Z",
            "models": ["fast"],
            "tags": ["ci"],
            "metadata": {"a": 1},
            **LIMITS,
        }
    ),
    "GetBudget": Valid(),
    "SetBudget": Valid(LIMITS),
    "DeleteBudget": Valid(),
    "AdjustBudget": Valid(
        {"spend": 1.5, "reason": "migrated"},
        before=lambda: call("PUT", "/api/budgets/team/acme-dev", {"max_budget": 10}),
    ),
    "ListBudgets": Valid(query={"scope": "shared", "limit": "5"}),
    "ListKeys": Valid(query={"limit": "5"}),
    "RevokeKey": Valid(),
    "AddCredits": Valid({"team_id": "acme-dev", "amount": 5, "description": "top-up"}),
    "GetCreditBalance": Valid(query=_TEAM),
    "TransferCredits": Valid(
        {"team_id": "acme-dev", "amount": 2.5, "direction": "to_organization", "description": "unused"}
    ),
    "RefundCredits": Valid(
        {"team_id": "acme-dev", "call_id": INTERRUPTED, "amount": 0.5, "reason": "interrupted"},
        before=_interrupted_call,
    ),
    "AdjustCredits": Valid({"team_id": "acme-dev", "amount": -1.5, "reason": "counted twice"}),
    "GetCreditSettings": Valid(query=_TEAM),
    "UpdateCreditSettings": Valid(
        {
            "limit_mode": "soft",
            "credit_limit": 100,
            "auto_refill": True,
            "refill_amount": 50,
            "refill_period": "weekly",
            "suspend_at_zero": True,
            "grace_period_hours": 24,
            "alert_at_percentage": [50, 80],
        },
        query=_TEAM,
    ),
    "ListCreditTransactions": Valid(query=_TEAM | {"limit": "5"}),
    "GetUtilization": Valid(),
    "GetCreditTrends": Valid(query=_TEAM | {"days": "7"}),
    "GrantToTeams": Valid({"organization_id": "org_acme", "amount": 5, "reason": "a gift"}),
    "GetTeamCredits": Valid(),
    "ListTeamTransactions": Valid(query={"limit": "5"}),
    "AddTeamCredits": Valid({"credits_amount": 5, "reason": "top-up", "metadata": {"invoice": "i-1"}}),
    "CheckTeamCredits": Valid({"credits_required": 2.5}),
    "GetConversionRates": Valid(),
    "UpdateConversionRates": Valid({"tokens_per_credit": 500, "credits_per_dollar": 20}),
    "CreateJob": Valid({"team_id": "acme-dev", "job_type": "resume", "user_id": "u-1", "metadata": {"a": 1}}),
    "ListJobs": Valid(
        query=_TEAM | SPAN | {"status": "pending", "order": "asc", "sort_by": "created_at", "limit": "5"}
    ),
    "ListTeamJobs": Valid(query={"status": "pending", "limit": "5"}),
    "GetJob": Valid(),
    "GetJobCosts": Valid(query={"limit": "5"}),
    "UpdateJobMetadata": Valid({"metadata": {"b": 2}}),
    "CompleteJob": Valid({"status": "failed", "metadata": {"b": 2}, "error_message": "no answer"}),
    "CancelJob": Valid(),
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
    "CreateModelGroup": Valid(
        {
            "group_name": "resume-analysis",
            "display_name": "Resume analysis",
            "description": "reads resumes",
            "models": [{"model_name": "openai/gpt-4o", "priority": 0, "config": {"weight": 2}}],
            "metadata": {"a": 1},
        }
    ),
    "ListModelGroups": Valid(query={"limit": "5"}),
    "GetModelGroup": Valid(),
    "ListModelsOfGroup": Valid(),
    "UpdateModelGroup": Valid(
        {
            "display_name": "Fast",
            "description": "quick",
            "status": "inactive",
            "models": [{"model_name": "openai/gpt-4o-mini", "is_active": False}],
            "metadata": {"a": 1},
        }
    ),
    "DeleteModelGroup": Valid(),
    "CreateModel": Valid(
        {
            "model_alias": "sonnet",
            "display_name": "Claude Sonnet",
            "provider": "anthropic",
            "actual_model": "claude-sonnet-4-5",
            "pricing_input": 3,
            "pricing_output": 15,
            "description": "writes",
            "access_groups": ["acme-models"],
        }
    ),
    "ListModels": Valid(query={"provider": "openai", "status": "active", "limit": "5"}),
    "GetModel": Valid(),
    "UpdateModel": Valid(
        {
            "display_name": "Fast",
            "provider": "anthropic",
            "actual_model": "claude-haiku-4-5",
            "pricing_input": 1,
            "pricing_output": 5,
            "description": "quick",
            "status": "inactive",
            "access_groups": [],
        }
    ),
    "DeleteModel": Valid(),
    "ListModelPrices": Valid(query={"search": "gpt-4o", "provider": "openai", "limit": "5"}),
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
    "GetOrganizationUsage": Valid(query={"period": "2026-03"}),
    "GetOrganizationTimeline": Valid(query=SPAN | {"granularity": "week"}),
    "GetTeamUsage": Valid(query={"period": "all"}),
    "GetTeamTimeline": Valid(query=SPAN | {"granularity": "hour"}),
    "GetUsage": Valid(query=SPAN | {"scope": "team", "id": "acme-dev", "group_by": "model", "limit": "5"}),
    "GetOrganizationCosts": Valid(query=SPAN),
    "GetTeamCosts": Valid(query=SPAN),
    "ListOrganizationTransactions": Valid(query={"limit": "5"}),
    "GetOrganizationActivity": Valid(),
    "GetDashboard": Valid(),
    "ListAuditLogs": Valid(query={"limit": "5"}),
    "GetSetupStatus": Valid(),
    "SetUp": Valid(
        {"email": "olga@example.com", "display_name": "Olga", "password": CANARY, "metadata": {"a": 1}},
        before=empty_table,
    ),
    "LogIn": Valid({"email": "vera@example.com", "password": CANARY}),
    "LogOut": Valid(),
    "GetCurrentUser": Valid(),
    "ListAdminUsers": Valid(query={"limit": "5"}),
    "CreateAdminUser": Valid(
        {
            "email": "new@example.com",
            "display_name": "New",
            "password": CANARY,
            "role": "admin",
            "metadata": {"a": 1},
        }
    ),
    "GetAdminUser": Valid(),
    "UpdateAdminUser": Valid({"display_name": "Renamed", "role": "admin", "is_active": False, "metadata": {"a": 1}}),
    "DeleteAdminUser": Valid(),
    "ChangePassword": Valid({"new_password": CANARY, "current_password": CANARY}),
    "CreateAlertRule": Valid(
        {
            "organization_id": "org_acme",
            "name": "to the pager",
            "channel": "webhook",
            "url": "https://hooks.example.com/pager",
            "secret": CANARY,
            "events": ["budget.threshold", "error_rate.high"],
            "thresholds": [50, 99.5],
            "thresholds_left": [5, 0],
            "error_rate_percent": 2.5,
            "error_rate_min_calls": 20,
            "is_active": True,
        },
        status=201,
    ),
    "ListAlertRules": Valid(query={"team_id": "acme-dev", "limit": "5"}),
    "ListAlertHistory": Valid(query={"organization_id": "org_acme", "event": "alert.test", "limit": "5"}),
    "GetAlertRule": Valid(),
    "UpdateAlertRule": Valid({"name": "renamed", "url": "https://hooks.example.com/2", "secret": CANARY}),
    "DeleteAlertRule": Valid(),
    "TestAlertRule": Valid(status=202),
    "RegisterWebhook": Valid(
        {
            "organization_id": "org_acme",
            "webhook_url": "https://hooks.example.com/jobs",
            "events": ["job.completed", "team.first_call"],
            "auth_header": CANARY,
        }
    ),
    "ListWebhooks": Valid(query={"team_id": "acme-dev", "limit": "5"}),
    "DeleteWebhook": Valid(),
    "GetArchivedOrganizationUsage": Valid(query={"period": "all"}),
    "GetArchivedTeamUsage": Valid(query={"period": "2026-03"}),
    "OpenApi": Valid(),
    "SwaggerUi": Valid(),
    "Redoc": Valid(),
}


def admin_endpoints() -> list[Endpoint]:
    """Every endpoint of ``template.yaml`` that the admin functions answer."""
    return [
        Endpoint(route.method, route.path, route.function)
        for route in ROUTES
        if route.function is not None and FUNCTIONS[route.function].handler.startswith("admin.")
    ]


def dialect_endpoints() -> list[Endpoint]:
    """Every endpoint of ``template.yaml`` that speaks LiteLLM's dialect."""
    return [
        Endpoint(route.method, route.path, route.function)
        for route in ROUTES
        if route.function is not None and FUNCTIONS[route.function].handler.startswith("litellm.")
    ]
