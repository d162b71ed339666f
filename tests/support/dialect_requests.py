"""What a client of LiteLLM sends to each endpoint of the dialect: requests that succeed in the world of ``requests``."""

from __future__ import annotations

from contextlib import suppress

from tests.support import build
from tests.support.api import call
from tests.support.valid import CANARY, KNOWN_KEY, LIMITS, SPAN, Valid
from tollgate.core.errors import AlreadyExistsError


def _join_team() -> None:
    """The user whom paths name becomes a member of the team."""
    users = call("GET", "/api/admin-users").body["users"]
    with suppress(AlreadyExistsError):
        build.member("team-member", "acme-dev", users[0]["user_id"])


DIALECT_REQUESTS: dict[str, Valid] = {
    "LiteLlmListSpendLogs": Valid(query={"user_id": "ana", "start_date": "2026-03-01", "end_date": "2026-03-31"}),
    "LiteLlmPageSpendLogs": Valid(
        query={"team_id": "acme-dev", "status_filter": "success", "min_spend": "0.5", "page_size": "5"}
    ),
    "LiteLlmUserDailyActivity": Valid(query=SPAN | {"user_id": "ana", "model": "fast", "timezone": "UTC"}),
    "LiteLlmTeamDailyActivity": Valid(query=SPAN | {"team_ids": "acme-dev,acme-prod", "exclude_team_ids": "acme-prod"}),
    "LiteLlmOrganizationDailyActivity": Valid(query=SPAN | {"organization_ids": "org_acme"}),
    "LiteLlmCustomerDailyActivity": Valid(query=SPAN | {"end_user_ids": "end-user-7"}),
    "LiteLlmPageAudit": Valid(
        query={"action": "created", "table_name": "LiteLLM_TeamTable", "page_size": "5", "sort_order": "asc"}
    ),
    "LiteLlmGetAudit": Valid(),
    "LiteLlmSpendOfKeys": Valid(),
    "LiteLlmSpendOfUsers": Valid(query={"user_id": "ana"}),
    "LiteLlmSpendOfTags": Valid(query=SPAN),
    "LiteLlmCalculateSpend": Valid({"model": "fast", "messages": [{"role": "user", "content": "Say something"}]}),
    "LiteLlmSpendReport": Valid(query=SPAN | {"group_by": "team"}),
    "LiteLlmGlobalSpend": Valid(),
    "LiteLlmGlobalSpendByDay": Valid(query=SPAN),
    "LiteLlmGlobalSpendByKey": Valid(query={"limit": "5"}),
    "LiteLlmGlobalSpendByModel": Valid(query={"limit": "5"}),
    "LiteLlmGlobalSpendByTeam": Valid(query=SPAN),
    "LiteLlmResetSpend": Valid(),
    "LiteLlmNewBudget": Valid({"budget_id": "gold", "max_budget": 10, "budget_duration": "30d", "rpm_limit": 5}),
    "LiteLlmUpdateBudget": Valid({"budget_id": "starter", "max_budget": 20}),
    "LiteLlmInfoBudget": Valid({"budgets": ["starter"]}),
    "LiteLlmListBudget": Valid(),
    "LiteLlmSettingsBudget": Valid(query={"budget_id": "starter"}),
    "LiteLlmDeleteBudget": Valid({"id": "starter"}),
    "LiteLlmCreateManyOrganizations": Valid(
        {"items": [{"organization_id": "org_bulk", "organization_alias": "Bulk"}, {"organization_alias": "Another"}]}
    ),
    "LiteLlmUpdateManyOrganizations": Valid({"items": [{"organization_id": "org_acme", "max_budget": 5}]}),
    "LiteLlmDeleteManyOrganizations": Valid({"items": [{"organization_id": "org_other"}]}),
    "LiteLlmCreateManyTeams": Valid({"items": [{"team_id": "bulk", "organization_id": "org_acme"}, {}]}),
    "LiteLlmUpdateManyTeams": Valid({"items": [{"team_id": "acme-dev", "team_alias": "Renamed"}]}),
    "LiteLlmDeleteManyTeams": Valid({"items": [{"team_id": "acme-dev"}]}),
    "LiteLlmCreateManyUsers": Valid({"items": [{"user_id": "bulk", "auto_create_key": False}]}),
    "LiteLlmUpdateManyUsers": Valid({"items": [{"user_id": "ana", "user_alias": "Ana"}]}),
    "LiteLlmDeleteManyUsers": Valid({"items": [{"user_id": "ben"}]}, before=lambda: build.user("ben")),
    "LiteLlmCreateManyKeys": Valid({"items": [{"key_alias": "bulk", "team_id": "acme-dev"}]}),
    "LiteLlmUpdateManyKeys": Valid({"items": [{"key": KNOWN_KEY, "max_budget": 5}]}),
    "LiteLlmDeleteManyKeys": Valid({"items": [{"key": KNOWN_KEY}]}),
    "LiteLlmCreateManyMembers": Valid({"items": [{"user_id": "bo", "role": "user", "max_budget_in_team": 5}]}),
    "LiteLlmUpdateManyMembers": Valid({"items": [{"user_id": "ana", "role": "admin"}]}),
    "LiteLlmDeleteManyMembers": Valid({"items": [{"user_id": "ana"}]}),
    "LiteLlmNewCustomer": Valid(
        {
            "user_id": "end-user-8",
            "alias": "Eight",
            "blocked": False,
            "models": ["fast"],
            "default_model": "fast",
            "allowed_model_region": "eu",
            "object_permission": {"vector_stores": ["docs"]},
            "max_budget": 5,
            "budget_duration": "1d",
            "spend": 1,
        }
    ),
    "LiteLlmUpdateCustomer": Valid({"user_id": "end-user-7", "alias": "Seven", "max_budget": 3, "spend": 0.5}),
    "LiteLlmDeleteCustomers": Valid({"user_ids": ["end-user-7"]}),
    "LiteLlmInfoCustomer": Valid(query={"end_user_id": "end-user-7"}),
    "LiteLlmListCustomers": Valid(),
    "LiteLlmBlockCustomers": Valid({"user_ids": ["end-user-7", "end-user-9"]}),
    "LiteLlmUnblockCustomers": Valid({"user_ids": ["end-user-7"]}),
    "LiteLlmGenerateKey": Valid(
        {
            "key": "sk-chosen-by-client",
            "key_alias": "ci",
            "key_type": "llm_api",
            "duration": "30d",
            "models": ["fast"],
            "aliases": {"quick": "fast"},
            "team_id": "acme-dev",
            "user_id": "ana",
            "organization_id": "org_acme",
            "blocked": False,
            "metadata": {"a": 1},
            "tags": ["batch"],
            "allowed_routes": [],
            "spend": 1,
            "config": {"a": 1},
            "permissions": {"a": True},
            "allowed_cache_controls": ["no-store"],
            "guardrails": ["pii"],
            "prompts": ["p"],
            "enforced_params": ["user"],
            "max_budget": 10,
            "budget_duration": "30d",
            "rpm_limit": 5,
        }
    ),
    "LiteLlmGenerateServiceKey": Valid({"team_id": "acme-dev", "key_alias": "nightly", "metadata": {"a": 1}}),
    "LiteLlmUpdateKey": Valid(
        {"key": KNOWN_KEY, "team_id": "acme-prod", "blocked": True, "max_budget": 5, "duration": "-1", "spend": 2}
    ),
    "LiteLlmDeleteKey": Valid({"keys": [KNOWN_KEY], "key_aliases": ["none"]}),
    "LiteLlmInfoKey": Valid(query={"key": KNOWN_KEY}),
    "LiteLlmInfoKeys": Valid({"keys": [KNOWN_KEY], "key_aliases": ["none"]}),
    "LiteLlmListKeys": Valid(query={"size": "5", "sort_by": "key_alias", "return_full_object": "true"}),
    "LiteLlmListKeyAliases": Valid(query={"size": "5", "team_id": "acme-dev"}),
    "LiteLlmBlockKey": Valid({"key": KNOWN_KEY}),
    "LiteLlmUnblockKey": Valid({"key": KNOWN_KEY}),
    "LiteLlmRegenerateKey": Valid({"key": KNOWN_KEY, "new_key": "sk-chosen-by-client", "duration": "1h"}),
    "LiteLlmRegenerateNamedKey": Valid({"rpm_limit": 5}),
    "LiteLlmResetKeySpend": Valid({"reset_to": 0}),
    "LiteLlmBulkUpdateKeys": Valid({"keys": [{"key": KNOWN_KEY, "max_budget": 5}]}),
    "LiteLlmKeyHealth": Valid(),
    "LiteLlmNewOrganization": Valid(
        {
            "organization_id": "Org/New",
            "organization_alias": "New",
            "models": ["fast"],
            "metadata": {"plan": "gold"},
            "tags": ["batch"],
            "blocked": False,
            "model_aliases": {"quick": "fast"},
            "object_permission": {"vector_stores": ["docs"]},
            "max_budget": 10,
            "budget_duration": "30d",
        }
    ),
    "LiteLlmUpdateOrganization": Valid(
        {"organization_id": "org_acme", "organization_alias": "ACME", "metadata": {"plan": "gold"}, "rpm_limit": 5}
    ),
    "LiteLlmPatchOrganization": Valid({"organization_alias": "ACME", "max_budget": None, "tpm_limit": 100}),
    "LiteLlmDeleteOrganization": Valid({"organization_ids": ["org_other"]}),
    "LiteLlmListOrganization": Valid(query={"org_alias": "ACME"}),
    "LiteLlmInfoOrganization": Valid(query={"organization_id": "org_acme"}),
    "LiteLlmFindOrganization": Valid({"organizations": ["org_acme"]}),
    "LiteLlmAddOrganizationMember": Valid(
        {
            "organization_id": "org_acme",
            "member": {"role": "internal_user", "user_email": "bob@example.com"},
            "max_budget_in_organization": 5,
        }
    ),
    "LiteLlmUpdateOrganizationMember": Valid(
        {"organization_id": "org_acme", "user_id": "ana", "role": "org_admin", "max_budget_in_organization": 7}
    ),
    "LiteLlmDeleteOrganizationMember": Valid(
        {"organization_id": "org_acme", "user_id": "ben"},
        before=lambda: build.member("organization-member", "org_acme", build.user("ben")["user_id"]),
    ),
    "LiteLlmNewModel": Valid(
        {
            "model_name": "smart",
            "litellm_params": {"model": "openai/gpt-4o", "api_key": CANARY, "rpm": 60},
            "model_info": {"id": "new-model", "access_groups": ["acme-models"]},
            "blocked": False,
        }
    ),
    "LiteLlmUpdateModel": Valid(
        {
            "model_name": "smart",
            "litellm_params": {"weight": 3},
            "model_info": {"id": "known-model", "base_model": "gpt-4o"},
            "blocked": True,
        },
    ),
    "LiteLlmDeleteModel": Valid({"id": "known-model"}),
    "LiteLlmPatchModel": Valid(
        {
            "model_name": "smart",
            "litellm_params": {"api_key": CANARY},
            "model_info": {"mode": "chat"},
            "blocked": False,
        },
    ),
    "LiteLlmInfoModels": Valid(),
    "LiteLlmPageModels": Valid(query={"page": "1", "size": "2", "search": "fa", "sortBy": "created_at"}),
    "LiteLlmInfoModelGroups": Valid(query={"model_group": "fast"}),
    "LiteLlmNewCredential": Valid(
        {
            "credential_name": "known-credential",
            "credential_info": {"custom_llm_provider": "azure"},
            "credential_values": {"api_key": CANARY, "api_base": "https://llm.example.com"},
            "model_id": "known-model",
        }
    ),
    "LiteLlmListCredentials": Valid(),
    "LiteLlmGetCredential": Valid(
        before=lambda: build.provider_credential(credential_name="known-credential", api_key=CANARY)
    ),
    "LiteLlmPatchCredential": Valid(
        {
            "credential_name": "renamed",
            "credential_info": {"description": "of the operator"},
            "credential_values": {"api_key": CANARY},
            "credential_values_to_delete": ["api_base"],
        },
        before=lambda: build.provider_credential(credential_name="known-credential", api_key=CANARY),
    ),
    "LiteLlmDeleteCredential": Valid(
        before=lambda: build.provider_credential(credential_name="known-credential", api_key=CANARY)
    ),
    "LiteLlmHealthServices": Valid(
        query={"service": "webhook"}, before=lambda: build.alert_rule(url="https://hooks.example.com/platform")
    ),
    "LiteLlmLiveliness": Valid(),
    "LiteLlmReadiness": Valid(),
    "LiteLlmReadinessDetails": Valid(),
    "LiteLlmListRoutes": Valid(),
    "LiteLlmTest": Valid(),
    "LiteLlmNewTeam": Valid(
        {
            "team_id": "Team/New",
            "team_alias": "New",
            "organization_id": "org_acme",
            "models": ["fast"],
            "members_with_roles": [{"role": "admin", "user_email": "bob@example.com"}],
            "team_member_permissions": ["/key/generate"],
            "metadata": {"a": 1},
            "tags": ["batch"],
            "blocked": False,
            "object_permission": {"vector_stores": ["docs"]},
            **LIMITS,
        }
    ),
    "LiteLlmUpdateTeam": Valid(
        {"team_id": "acme-dev", "organization_id": "org_acme", "models": ["fast"], "blocked": True, **LIMITS}
    ),
    "LiteLlmPatchTeam": Valid({"team_alias": "Renamed", "max_budget": None, "metadata": {"a": 1}}),
    "LiteLlmDeleteTeam": Valid({"team_ids": ["acme-dev", "other-dev"]}),
    "LiteLlmInfoTeam": Valid(query={"team_id": "acme-dev", "key_limit": "1"}),
    "LiteLlmListTeam": Valid(query={"organization_id": "org_acme"}),
    "LiteLlmPageTeams": Valid(query={"page": "1", "page_size": "2", "search": "acme", "sort_by": "team_alias"}),
    "LiteLlmBlockTeam": Valid({"team_id": "acme-dev"}),
    "LiteLlmUnblockTeam": Valid({"team_id": "acme-dev"}),
    "LiteLlmAddTeamMember": Valid(
        {
            "team_id": "acme-dev",
            "member": {"role": "user", "user_email": "bob@example.com"},
            "max_budget_in_team": 5,
            "budget_duration": "30d",
        }
    ),
    "LiteLlmUpdateTeamMember": Valid(
        {"team_id": "acme-dev", "user_id": "ana", "role": "admin", "max_budget_in_team": 7, "rpm_limit": 5}
    ),
    "LiteLlmDeleteTeamMember": Valid({"team_id": "acme-dev", "user_id": "ana"}),
    "LiteLlmAddTeamMembers": Valid(
        {"team_id": "acme-dev", "members": [{"role": "user", "user_id": "bob"}], "max_budget_in_team": 5}
    ),
    "LiteLlmAvailableTeams": Valid(),
    "LiteLlmOwnTeamMembership": Valid(status=404),
    "LiteLlmResetMemberSpend": Valid({"reset_to": 0}, before=_join_team),
    "LiteLlmBulkUpdateTeamKeys": Valid({"team_id": "acme-dev", "keys": [{"key": KNOWN_KEY, "max_budget": 5}]}),
    "LiteLlmAddTeamModels": Valid({"team_id": "acme-dev", "models": ["gpt-*"]}),
    "LiteLlmDeleteTeamModels": Valid({"team_id": "acme-dev", "models": ["acme-models"]}),
    "LiteLlmListTeamPermissions": Valid(query={"team_id": "acme-dev"}),
    "LiteLlmUpdateTeamPermissions": Valid({"team_id": "acme-dev", "team_member_permissions": ["/key/generate"]}),
    "LiteLlmNewUser": Valid(
        {
            "user_id": "User/New",
            "user_email": "bob@example.com",
            "user_alias": "Bob",
            "user_role": "internal_user",
            "teams": [{"team_id": "acme-dev", "max_budget_in_team": 5, "user_role": "admin"}],
            "organizations": ["org_acme"],
            "team_id": "acme-prod",
            "organization_id": "org_acme",
            "sso_user_id": "sso-bob",
            "auto_create_key": True,
            "key_alias": "bob",
            "duration": "30d",
            "models": ["fast"],
            "aliases": {"quick": "fast"},
            "metadata": {"a": 1},
            "blocked": False,
            "spend": 1,
            "permissions": {"a": True},
            "config": {"a": 1},
            "allowed_cache_controls": ["no-store"],
            "allowed_model_region": "eu",
            "allowed_model_max_input_tokens": 1000,
            "allowed_model_max_output_tokens": 100,
            "object_permission": {"vector_stores": ["docs"]},
            **LIMITS,
        }
    ),
    "LiteLlmUpdateUser": Valid(
        {"user_id": "ana", "user_email": "anna@example.com", "models": ["fast"], "duration": None, **LIMITS}
    ),
    "LiteLlmDeleteUsers": Valid({"user_ids": ["ben"]}, before=lambda: build.user("ben")),
    "LiteLlmInfoUser": Valid(query={"user_id": "ana"}),
    "LiteLlmFlatInfoUser": Valid(query={"user_id": "ana"}),
    "LiteLlmListUsers": Valid(query={"page": "1", "page_size": "2", "search": "a", "sort_by": "user_email"}),
    "LiteLlmListUserRoles": Valid(),
    "LiteLlmBulkUpdateUsers": Valid({"users": [{"user_id": "ana", "max_budget": 5}]}),
}
