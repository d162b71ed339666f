"""Organizations in the dialect (contract litellm 1.3): the same ones as ``/api/organizations``, with budget row,
members and teams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Annotated, Any
from uuid import uuid4

from pydantic import ConfigDict, Field, StrictBool, model_validator

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError, NotFoundError
from tollgate.core.fields import Alias, Amount, Metadata, Name
from tollgate.core.object_permissions import ObjectPermission
from tollgate.core.pagination import PageRequest
from tollgate.limits.fields import LIMIT_FIELDS, LooseId, Tags
from tollgate.litellm import members, object_permissions, team_rows
from tollgate.litellm.budget_tables import model_rates, table_of
from tollgate.litellm.budgets import BudgetRow
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectLimits, DialectRequest, DialectRow, Moment
from tollgate.litellm.members import MemberRow
from tollgate.litellm.object_permissions import ObjectPermissionRow
from tollgate.litellm.team_rows import TeamRow
from tollgate.organizations import repository as organizations
from tollgate.organizations.access import reachable
from tollgate.organizations.model import CreateOrganization, Organization, OrganizationStatus, UpdateOrganization
from tollgate.organizations.service import organization_service
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.tenants import spending
from tollgate.tenants.offboarding import offboarding_service
from tollgate.users import memberships

# A list without pages ends somewhere.
_MOST = 10_000
_MOST_AT_ONCE = 500
_RATES = ("model_rpm_limit", "model_tpm_limit")


class _Fields(DialectLimits):
    """What both creation and change may say. Limits may also come as ``litellm_budget_table``, and those of single
    models in ``metadata``: rows show them there, and clients send rows back.
    """

    models: Annotated[list[Alias], Field(max_length=100)] | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    blocked: StrictBool | None = None
    model_aliases: Annotated[dict[Alias, Alias], Field(max_length=50)] | None = None
    object_permission: ObjectPermission | None = None

    @model_validator(mode="before")
    @classmethod
    def _flattened(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        table, metadata = data.get("litellm_budget_table"), data.get("metadata")
        if isinstance(table, dict):
            data = {name: value for name, value in table.items() if name in LIMIT_FIELDS} | data
        if isinstance(metadata, dict):
            data = {name: metadata[name] for name in _RATES if name in metadata} | data
            data["metadata"] = {name: value for name, value in metadata.items() if name not in _RATES}
        data.pop("litellm_budget_table", None)
        return data


class NewOrganization(_Fields):
    """An organization; its id is made up where none is sent."""

    organization_alias: Name
    organization_id: LooseId | None = None


class ChangeOrganization(_Fields):
    """Only what is sent changes; null clears; metadata is merged (Q-25)."""

    organization_id: LooseId | None = None
    organization_alias: Name | None = None


class PatchOrganization(_Fields):
    """The same, the organization being in the path; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    organization_alias: Name | None = None


class OrganizationIds(DialectRequest):
    organization_ids: Annotated[list[LooseId], Field(min_length=1, max_length=_MOST_AT_ONCE)]


class OrganizationNames(DialectRequest):
    organizations: Annotated[list[LooseId], Field(max_length=_MOST_AT_ONCE)]


class OrganizationRow(DialectRow):
    """An organization; ``status``, ``blocked``, ``tags`` and ``model_aliases`` are Tollgate's own (Q-11)."""

    organization_id: str
    organization_alias: str
    budget_id: str
    spend: Amount
    metadata: dict[str, Any]
    models: list[str]
    model_spend: dict[str, Amount]
    model_aliases: dict[str, str]
    tags: list[str]
    blocked: bool
    status: OrganizationStatus
    created_by: str | None
    updated_by: str | None
    users: list[Any] | None
    litellm_budget_table: BudgetRow
    object_permission: ObjectPermissionRow | None
    object_permission_id: str | None
    created_at: Moment
    updated_at: Moment


class OrganizationWithMembers(OrganizationRow):
    members: list[MemberRow]
    teams: list[TeamRow]


def new(caller: Principal, request: NewOrganization) -> OrganizationRow:
    """A new organization with a budget of its own, or with a shared one. An id that is taken is 400."""
    values = _domain(request)
    values |= {"organization_id": request.organization_id or str(uuid4()), "name": request.organization_alias}
    values |= {name: values[name] or empty for name, empty in _EMPTY.items() if name in values}
    create = CreateOrganization.model_construct(set(values), **values)
    try:
        organization_service().create(caller, create)
    except AlreadyExistsError as error:
        raise DialectError(400, error.message, quoted=True) from None
    created = _found(create.organization_id)
    return OrganizationRow(**_fields([created])[0])


def update(caller: Principal, request: ChangeOrganization) -> OrganizationWithMembers:
    """Changes an organization: the platform everything, its administrators name and metadata (Q-08)."""
    if request.organization_id is None:
        raise DialectError(400, "organization_id is required", quoted=True)
    return patch(caller, request.organization_id, request)


def patch(
    caller: Principal, organization_id: str, request: ChangeOrganization | PatchOrganization
) -> OrganizationWithMembers:
    """The same by path."""
    return rows([_changed(caller, organization_id, request)])[0]


def update_plain(caller: Principal, request: ChangeOrganization) -> OrganizationRow:
    """The same without members and teams, whose number has no end."""
    return OrganizationRow(**_fields([_changed(caller, request.organization_id or "", request)])[0])


def _changed(caller: Principal, organization_id: str, request: ChangeOrganization | PatchOrganization) -> Organization:
    current = _reached(caller, organization_id, Action.ORGANIZATION_UPDATE)
    values = _domain(request)
    if values.get("budget_id") == current.budget_id and current.limits.budget_id is None:
        # The id of its own budget, as rows show it, refers to no other.
        values["budget_id"] = None
    if "organization_alias" in request.model_fields_set:
        values["name"] = request.organization_alias
    change = UpdateOrganization.model_construct(set(values), **values)
    organization_service().update(caller, organization_id, change, merge=True)
    return _found(organization_id)


def delete(caller: Principal, request: OrganizationIds) -> list[OrganizationWithMembers]:
    """Deletes organizations with their teams and keys, or none if one is unknown; the rows as they were."""
    authorize(caller, Action.ORGANIZATION_DELETE_MANY)
    names = list(dict.fromkeys(request.organization_ids))
    found = [_present(name, f"Organization={name} not found") for name in names]
    shown = rows(found)
    offboarding_service().delete_organizations(caller, names)
    return shown


def listed(caller: Principal, org_id: str | None, org_alias: str | None) -> list[OrganizationWithMembers]:
    """All organizations for the platform's roles, newest first, else those that the caller is a member of."""
    wanted = org_alias.casefold() if org_alias is not None else ""
    every = _all() if caller.platform_role is not None and org_id is None else _own(caller, org_id)
    return rows(list(islice((one for one in every if wanted in one.name.casefold()), _MOST)))


def info(caller: Principal, organization_id: str) -> OrganizationWithMembers:
    """An organization as its members see it."""
    return rows([_reached(caller, organization_id, Action.ORGANIZATION_READ_OWN)])[0]


def infos(caller: Principal, request: OrganizationNames) -> list[OrganizationWithMembers]:
    """Several of them."""
    if not request.organizations:
        raise DialectError(400, "Specify list of organization id's to query. Passed in=[]", quoted=True)
    names = dict.fromkeys(request.organizations)
    return rows([_reached(caller, name, Action.ORGANIZATION_READ_OWN) for name in names])


def rows(found: Sequence[Organization]) -> list[OrganizationWithMembers]:
    """The organizations with their members and teams; what can be read together is, for all of them."""
    people = [list(islice(memberships.all_members(one.uid), _MOST)) for one in found]
    present = [_teams_of(one) for one in found]
    member_rows = iter(members.rows(list(chain.from_iterable(people))))
    rows_of_teams = iter(team_rows.rows(list(chain.from_iterable(present))))
    return [
        OrganizationWithMembers(
            **fields,
            members=[next(member_rows) for _ in own_people],
            teams=[next(rows_of_teams) for _ in own_teams],
        )
        for fields, own_people, own_teams in zip(_fields(found), people, present, strict=True)
    ]


def _teams_of(organization: Organization) -> list[Team]:
    """Oldest first."""
    if not organization.team_count:
        return []
    return [team for team in islice(teams.all_of_organization(organization.uid), _MOST) if not team.deleting]


def _fields(found: Sequence[Organization]) -> list[dict[str, Any]]:
    """The fields of ``OrganizationRow``, read together for all of them."""
    spends = spending.of_all([spending.organization_spender(one) for one in found], organization_service().clock())
    metadata = organizations.metadata_of_all(one.organization_id for one in found)
    return [
        {
            "organization_id": one.organization_id,
            "organization_alias": one.name,
            "budget_id": one.budget_id,
            "spend": spend.spend,
            "metadata": metadata.get(one.organization_id, {}) | model_rates(one.limits),
            "models": list(one.models or ()),
            "model_spend": {model: window.spend for model, window in spend.model_spend.items()},
            "model_aliases": dict(one.model_aliases),
            "tags": list(one.tags),
            "blocked": one.blocked,
            "status": one.status,
            "created_by": one.created_by,
            "updated_by": one.updated_by,
            "users": None,
            "litellm_budget_table": table_of(
                one.limits, one.budget_id, (one.created_at, one.created_by), (one.updated_at, one.updated_by)
            ),
            "object_permission": _permission(one),
            "object_permission_id": one.object_permission_id,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
        }
        for one, spend in zip(found, spends, strict=True)
    ]


def _permission(organization: Organization) -> ObjectPermissionRow | None:
    if organization.object_permission_id is None:
        return None
    stored = organizations.object_permission_of(organization.organization_id)
    return object_permissions.row_of(organization.object_permission_id, stored)


# What a field that is sent as null is at creation.
_EMPTY: dict[str, Any] = {"metadata": {}, "tags": [], "blocked": False, "model_aliases": {}}


def _domain(request: _Fields) -> dict[str, Any]:
    """The fields that were sent, as the domain calls them; an empty list of models is every model."""
    sent = request.model_fields_set & set(_Fields.model_fields)
    values: dict[str, Any] = {name: getattr(request, name) for name in sent}
    if "models" in values:
        values["models"] = values["models"] or None
    return values


def _reached(caller: Principal, organization_id: str, action: Action) -> Organization:
    """The organization; who has no right over it learns nothing of whether there is one (contract 2.4)."""
    try:
        return reachable(caller, organization_id, action)
    except NotFoundError:
        if caller.platform_role is None:
            raise DialectError(403, "You do not have access to this organization", quoted=True) from None
        raise DialectError(404, "Organization not found", quoted=True) from None


def _found(organization_id: str) -> Organization:
    return _present(organization_id, "Organization not found")


def _present(organization_id: str, otherwise: str) -> Organization:
    organization = organizations.find(organization_id)
    if organization is None or organization.deleting:
        raise DialectError(404, otherwise, quoted=True)
    return organization


def _all() -> Iterator[Organization]:
    request = PageRequest()
    while True:
        page = organizations.search(request, None, None)
        yield from page.entries
        if page.next_cursor is None:
            return
        request = PageRequest(cursor=page.next_cursor)


def _own(caller: Principal, org_id: str | None) -> Iterator[Organization]:
    """Those that the caller has a role in, or the one that he asks for if he may see it."""
    own = dict(caller.organization_roles)
    names = list(own) if org_id is None else [org_id]
    for name in names:
        organization = organizations.find(name) if name in own or caller.platform_role is not None else None
        if organization is not None and not organization.deleting:
            yield organization
