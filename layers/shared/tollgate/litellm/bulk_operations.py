"""What can be done to many at once, each by the single endpoint's own function (contract litellm 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import model_validator

from tollgate.auth.principal import Principal
from tollgate.limits.fields import LIMIT_FIELDS, LooseId, Usd
from tollgate.litellm import keys, organizations, team_members, teams, users
from tollgate.litellm.bulk import Operation
from tollgate.litellm.fields import DialectLimits, DialectRequest, sent
from tollgate.litellm.key_requests import GenerateKey, KeyName, KeyNames, UpdateKey, id_of
from tollgate.litellm.organizations import ChangeOrganization, NewOrganization, OrganizationIds
from tollgate.litellm.team_members import TeamMembershipRow
from tollgate.litellm.team_requests import (
    AddTeamMembers,
    ChangeTeamMember,
    CreateTeamRow,
    NewTeamMember,
    RemoveTeamMember,
    TeamId,
    TeamIds,
    UpdateTeamRow,
)
from tollgate.litellm.user_requests import ChangeUser, NewUser, UserIds

# What a deletion leaves behind goes on for some seconds of its own.
_SECONDS_OF_DELETIONS = 12.0


class OneOrganization(DialectRequest):
    organization_id: LooseId


class ChangedOrganization(ChangeOrganization):
    """A change, which has to say of what."""

    organization_id: LooseId


class OneUser(DialectRequest):
    user_id: LooseId


class OneKey(DialectRequest):
    """A key by its string or hash, or by its alias."""

    key: KeyName | None = None
    key_alias: str | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.key is None) == (self.key_alias is None):
            message = "Either key or key_alias must be provided"
            raise ValueError(message)
        return self


class NewMember(NewTeamMember, DialectLimits):
    """A member of the team that the path names; ``max_budget_in_team`` (USD) and the other limits are his own."""

    team_id: LooseId
    max_budget_in_team: Usd | None = None


class MemberRemoved(DialectRequest):
    """Who is a member no more."""

    team_id: str
    user_id: str | None
    user_email: str | None


def _named(*fields: str) -> Callable[[Mapping[str, Any]], str | None]:
    """The first of these fields that an item has, if that is a text."""

    def name(item: Mapping[str, Any]) -> str | None:
        found = next((item[field] for field in fields if item.get(field) is not None), None)
        return found if isinstance(found, str) else None

    return name


def _key(item: Mapping[str, Any]) -> str | None:
    """Never the key itself."""
    key = item.get("key")
    return id_of(key) if isinstance(key, str) else _named("key_alias")(item)


def _add_member(caller: Principal, item: NewMember) -> TeamMembershipRow:
    limits = sent(item, "max_budget_in_team", *LIMIT_FIELDS)
    member = NewTeamMember(role=item.role, user_id=item.user_id, user_email=item.user_email)
    values = limits | {"team_id": item.team_id, "member": member}
    request = AddTeamMembers.model_construct(set(values), **values)
    return team_members.add_one(caller, request, member)


def _remove_member(caller: Principal, item: RemoveTeamMember) -> MemberRemoved:
    team_members.remove(caller, item)
    return MemberRemoved(team_id=item.team_id, user_id=item.user_id, user_email=item.user_email)


def _delete_key(caller: Principal, item: OneKey) -> keys.KeysDeleted:
    named = [item.key] if item.key is not None else None
    aliases = [item.key_alias] if item.key_alias is not None else None
    return keys.delete(caller, KeyNames(keys=named, key_aliases=aliases))


ORGANIZATIONS_CREATE = Operation(
    NewOrganization, organizations.new, _named("organization_id"), lambda row: row.organization_id
)
ORGANIZATIONS_UPDATE = Operation(ChangedOrganization, organizations.update_plain, _named("organization_id"))
ORGANIZATIONS_DELETE = Operation(
    OneOrganization,
    lambda caller, item: organizations.delete(caller, OrganizationIds(organization_ids=[item.organization_id]))[0],
    _named("organization_id"),
    seconds=_SECONDS_OF_DELETIONS,
)
TEAMS_CREATE = Operation(CreateTeamRow, teams.new, _named("team_id"), lambda row: row.team_id)
TEAMS_UPDATE = Operation(UpdateTeamRow, teams.update, _named("team_id"))
TEAMS_DELETE = Operation(
    TeamId,
    lambda caller, item: teams.delete(caller, TeamIds(team_ids=[item.team_id])),
    _named("team_id"),
    seconds=_SECONDS_OF_DELETIONS,
)
USERS_CREATE = Operation(
    NewUser, users.new, _named("user_id", "user_email"), lambda row: row.user_id, frozenset({"key", "token"})
)
USERS_UPDATE = Operation(ChangeUser, users.update, _named("user_id", "user_email"), lambda row: row.user_id)
USERS_DELETE = Operation(
    OneUser, lambda caller, item: users.delete(caller, UserIds(user_ids=[item.user_id])), _named("user_id")
)
KEYS_CREATE = Operation(
    GenerateKey, keys.generate, _key, lambda row: row.token, frozenset({"key", "token", "key_alias"})
)
KEYS_UPDATE = Operation(UpdateKey, keys.update, _key)
KEYS_DELETE = Operation(OneKey, _delete_key, _key)
MEMBERS_CREATE = Operation(NewMember, _add_member, _named("user_id", "user_email"), lambda row: row.user_id)
MEMBERS_UPDATE = Operation(ChangeTeamMember, team_members.update, _named("user_id", "user_email"))
MEMBERS_DELETE = Operation(RemoveTeamMember, _remove_member, _named("user_id", "user_email"))
