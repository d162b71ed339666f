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


def access_group(group_name: str = "acme-models", **fields: Any) -> dict[str, Any]:
    """A created access group."""
    return _made("/api/model-access-groups/create", {"group_name": group_name} | fields)


def provider_credential(**fields: Any) -> dict[str, Any]:
    """A created provider credential, of the platform unless ``organization_id`` is given."""
    request = {"provider": "openai", "credential_name": "main", "api_key": "sk-provider-secret"} | fields
    return _made("/api/provider-credentials/create", request)


def _made(path: str, request: dict[str, Any]) -> dict[str, Any]:
    answer = call("POST", path, request)
    assert answer.status in {200, 201}, answer.text
    made: dict[str, Any] = answer.body
    return made
