"""A new organization, with its first team if that is asked for (D-36)."""

from __future__ import annotations

from pydantic import ValidationError

from tollgate.auth.principal import Principal
from tollgate.core.errors import TollgateError
from tollgate.core.fields import Amount, ResponseModel
from tollgate.models.service import access_group_exists
from tollgate.organizations.model import CreateOrganization, OrganizationAnswer
from tollgate.organizations.service import organization_service
from tollgate.teams.model import CreateTeam
from tollgate.tenants.teams import team_service


class DefaultTeam(ResponseModel):
    """The first team; ``virtual_key`` is shown here and never again."""

    team_id: str
    team_alias: str | None
    virtual_key: str
    model_groups: list[str]
    credits_allocated: Amount


class NoDefaultTeam(ResponseModel):
    """Why there is no first team; the organization was made nevertheless."""

    error: str


class OrganizationFounded(OrganizationAnswer):
    """Answer where a first team was asked for. ``warnings`` name the groups that there are not."""

    default_team: DefaultTeam | NoDefaultTeam
    warnings: list[str]


def found(caller: Principal, request: CreateOrganization) -> OrganizationAnswer | OrganizationFounded:
    """Makes the organization, then its team; if that fails, the answer says why.

    Raises AlreadyExistsError if the organization's id is taken.
    """
    organization = organization_service().create(caller, request)
    if not request.create_default_team:
        return organization
    names = list(dict.fromkeys(request.default_team_model_groups))
    unknown = access_group_exists(names)
    warnings = [f"Unknown access group '{name}' was left out" for name in unknown]
    team = _team(caller, request, [name for name in names if name not in unknown])
    return OrganizationFounded.model_validate(dict(organization) | {"default_team": team, "warnings": warnings})


def _team(caller: Principal, request: CreateOrganization, groups: list[str]) -> DefaultTeam | NoDefaultTeam:
    wanted = {
        "organization_id": request.organization_id,
        "team_id": f"{request.organization_id}_default",
        "team_alias": request.default_team_name or request.name,
        "access_groups": groups,
        "credits_allocated": request.default_team_credits,
    }
    try:
        team = team_service().create(caller, CreateTeam.model_validate(wanted))
    except ValidationError as error:
        return NoDefaultTeam(error=f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}")
    except TollgateError as error:
        return NoDefaultTeam(error=error.message)
    return DefaultTeam(
        team_id=team.team_id,
        team_alias=team.team_alias,
        virtual_key=team.virtual_key or "",
        model_groups=list(team.access_groups),
        credits_allocated=team.credits_allocated,
    )
