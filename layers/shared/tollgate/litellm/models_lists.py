"""Lists of models in the dialect: what the caller's calls may use (contract litellm 1.9, 2.6, Q-23)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.keys import repository as keys
from tollgate.limits.model import Limits
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.models import names_of
from tollgate.litellm.models_rows import ModelGroup, ModelRow, groups_of, row_of
from tollgate.models.deployments import Deployment, deployment_service
from tollgate.organizations import repository as organizations
from tollgate.teams import repository as teams
from tollgate.teams.model import ModelAccess, Team
from tollgate.users import memberships
from tollgate.users import repository as users


class ModelList(DialectRow):
    data: list[ModelRow]


class ModelPage(DialectRow):
    data: list[ModelRow]
    total_count: int
    current_page: int
    total_pages: int
    size: int


class ModelGroups(DialectRow):
    data: list[ModelGroup]


class ModelQuery(BaseModel):
    """``search`` is a part of a name, whatever its case; ``user_models_only`` those that the caller has added."""

    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=1000)] = 50
    model: Annotated[str | None, Field(max_length=256)] = None
    modelId: Annotated[str | None, Field(max_length=256)] = None  # noqa: N815 (as clients send it)
    search: Annotated[str | None, Field(max_length=256)] = None
    user_models_only: bool = False
    sortBy: Literal["model_name", "created_at", "updated_at"] | None = None  # noqa: N815
    sortOrder: Literal["asc", "desc"] = "asc"  # noqa: N815


def info(caller: Principal, model_id: str | None) -> ModelList:
    """Every model that the caller's calls may use, or the one of that id."""
    found = _seen(caller)
    if model_id is not None:
        found = [one for one in found if one.target.target_id == model_id]
        if not found:
            raise DialectError(400, f"Model id = {model_id} not found on litellm proxy", quoted=True)
    return ModelList(data=_rows(caller, found))


def page(caller: Principal, query: ModelQuery) -> ModelPage:
    """A page of them, by name unless another order is asked for."""
    found = [one for one in _seen(caller) if _matches(one, query, caller)]
    if query.sortBy in {"created_at", "updated_at"}:
        found.sort(key=lambda one: getattr(one.model, str(query.sortBy)))
    if query.sortOrder == "desc":
        found.reverse()
    first = (query.page - 1) * query.size
    return ModelPage(
        data=_rows(caller, found[first : first + query.size]),
        total_count=len(found),
        current_page=query.page,
        total_pages=-(-len(found) // query.size),
        size=query.size,
    )


def groups(caller: Principal, name: str | None) -> ModelGroups:
    """The same by name, all targets of one together."""
    found = [one for one in _seen(caller) if name in {None, one.model.alias}]
    return ModelGroups(data=groups_of(one for one in found if one.target.is_active))


def _seen(caller: Principal) -> list[Deployment]:
    return deployment_service().seen(caller, _lists(caller))


def _rows(caller: Principal, found: Sequence[Deployment]) -> list[ModelRow]:
    whole = has_role(caller, Action.MODEL_READ, Owner())
    names = names_of(found) if whole else {}
    return [row_of(one, names, whole=whole) for one in found]


def _matches(one: Deployment, query: ModelQuery, caller: Principal) -> bool:
    return (
        query.model in {None, one.model.alias}
        and query.modelId in {None, one.target.target_id}
        and (query.search or "").casefold() in one.model.alias.casefold()
        and (not query.user_models_only or one.model.created_by == caller.actor)
    )


def _lists(caller: Principal) -> list[Sequence[str]]:
    """The lists that a call by the caller has to pass, as the data plane has them (Q-23)."""
    key = keys.find(caller.key_id) if caller.key_id is not None else None
    if key is None:
        user = users.find(caller.user_id) if caller.user_id is not None else None
        return _present(user.models if user else None)
    team = teams.find(key.team_id) if key.team_id else None
    user = users.find(key.user_id) if key.user_id else None
    organization = organizations.find(key.organization_id) if key.organization_id else None
    lists = _present(
        key.models, _of_team(team), user.models if user else None, organization.models if organization else None
    )
    for owner_uid in (key.team_uid, key.organization_uid):
        membership = memberships.find(owner_uid, key.user_uid) if owner_uid and key.user_uid else None
        limits: Limits | None = membership.limits if membership else None
        lists += _present(limits.allowed_models if limits else None)
    return lists


def _of_team(team: Team | None) -> Sequence[str] | None:
    listed = team is not None and team.model_access is ModelAccess.LISTED
    return (*team.access_groups, *team.models) if team is not None and listed else None


def _present(*lists: Sequence[str] | None) -> list[Sequence[str]]:
    return [entries for entries in lists if entries is not None]
