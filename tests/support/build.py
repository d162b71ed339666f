"""Things that tests need to exist, made through the API."""

from __future__ import annotations

from typing import Any

from tests.support.api import call


def organization(organization_id: str = "org_acme", **fields: Any) -> dict[str, Any]:
    """A created organization: the API's answer."""
    request = {"organization_id": organization_id, "name": f"Name of {organization_id}"} | fields
    return _made("/api/organizations/create", request)


def team(team_id: str = "acme-dev", organization_id: str = "org_acme", **fields: Any) -> dict[str, Any]:
    """A created team: the API's answer, with its key."""
    return _made("/api/teams/create", {"organization_id": organization_id, "team_id": team_id} | fields)


def team_details(team_id: str = "acme-dev") -> dict[str, Any]:
    """The team as the API shows it."""
    details: dict[str, Any] = call("GET", f"/api/teams/{team_id}").body
    return details


def issued_key(team_id: str = "acme-dev", **fields: Any) -> dict[str, Any]:
    """A further key of a team: the API's answer, with the key."""
    return _made(f"/api/teams/{team_id}/keys", fields)


def alias(name: str = "fast", litellm_model: str = "openai/gpt-4o-mini", **fields: Any) -> dict[str, Any]:
    """A created model alias."""
    return _made("/api/model-aliases/create", {"alias": name, "litellm_model": litellm_model} | fields)


def model(
    model_name: str = "fast", litellm_model: str = "openai/gpt-4o-mini", *, model_info: Any = None, **params: Any
) -> dict[str, Any]:
    """A model made by the other dialect: its row; ``params`` are ``litellm_params``."""
    request = {"model_name": model_name, "litellm_params": {"model": litellm_model, **params}}
    return _made("/model/new", request | {"model_info": model_info or {}})


def access_group(group_name: str = "acme-models", **fields: Any) -> dict[str, Any]:
    """A created access group."""
    return _made("/api/model-access-groups/create", {"group_name": group_name} | fields)


def budget(scope: str, scope_id: str, **fields: Any) -> dict[str, Any]:
    """The limits of a scope, set through the API: its answer."""
    answer = call("PUT", f"/api/budgets/{scope}/{scope_id}", fields)
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.body
    return made


def user(user_id: str = "ana", **fields: Any) -> dict[str, Any]:
    """A created user: the service's answer."""
    from tollgate.users.model import CreateUser
    from tollgate.users.service import user_service

    request = CreateUser.model_validate({"user_id": user_id} | fields)
    return user_service().create(owner(), request).model_dump(mode="json")


def admin_user(email: str = "vera@example.com", **fields: Any) -> dict[str, Any]:
    """A created admin user, who only reads unless ``role`` says otherwise."""
    request = {"email": email, "display_name": email.partition("@")[0], "password": "correct horse"} | fields
    return _made("/api/admin-users", request)


def member(scope: str, owner_id: str, user_id: str = "ana", **fields: Any) -> dict[str, Any]:
    """A user made a member of a team (``team-member``) or an organization: the service's answer."""
    from tollgate.limits.model import Scope
    from tollgate.tenants.members import member_service
    from tollgate.users.model import AddMember

    request = AddMember.model_validate({"user_id": user_id} | fields)
    return member_service().add(owner(), Scope(scope), owner_id, request).model_dump(mode="json")


def owner() -> Any:
    """Whom the master key stands for, where there is no endpoint yet."""
    from tollgate.auth.principal import ActorKind, Principal, Role

    return Principal("default_user_id", ActorKind.PLATFORM, platform_role=Role.PLATFORM_OWNER)


def job(team_id: str = "acme-dev", job_type: str = "resume", **fields: Any) -> dict[str, Any]:
    """A created job: the API's answer."""
    return _made("/api/jobs/create", {"team_id": team_id, "job_type": job_type} | fields)


def provider_credential(**fields: Any) -> dict[str, Any]:
    """A created provider credential, of the platform unless ``organization_id`` is given."""
    request = {"provider": "openai", "credential_name": "main", "api_key": "sk-provider-secret"} | fields
    return _made("/api/provider-credentials/create", request)


def alert_rule(**fields: Any) -> dict[str, Any]:
    """A created alert rule, of the platform and with a webhook unless ``fields`` say otherwise."""
    request = {"channel": "webhook", "url": "https://hooks.example.com/tollgate"} | fields
    return _made("/api/alerts", request)


def webhook(**fields: Any) -> dict[str, Any]:
    """A registered webhook that hears of everything unless ``fields`` say otherwise: the API's answer, with its secret."""
    from tollgate.webhooks.model import EventName

    request = {"webhook_url": "https://hooks.example.com/events", "events": [name.value for name in EventName]}
    return _made("/api/webhooks/register", request | fields)


def _made(path: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = call("POST", path, request)
    assert answer.status in {200, 201}, answer.text
    made: dict[str, Any] = answer.body
    return made
