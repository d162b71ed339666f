"""Which routes a key may call that is limited to some (contract litellm 2.1, 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

# First segments of the paths that call or list models.
_CALLS = frozenset({"v1", "chat", "completions", "embeddings", "models", "engines", "openai"})
_INFO = frozenset(
    {
        "/key/info",
        "/v2/key/info",
        "/key/list",
        "/key/health",
        "/team/info",
        "/team/list",
        "/v2/team/list",
        "/team/available",
        "/organization/list",
        "/user/info",
        "/v2/user/info",
        "/models",
        "/v1/models",
        "/model/info",
        "/v1/model/info",
        "/v2/model/info",
        "/model_group/info",
        "/health",
        "/health/services",
    }
)
_KEYS = frozenset(
    {
        "/key/generate",
        "/key/update",
        "/key/delete",
        "/key/regenerate",
        "/key/{key}/regenerate",
        "/key/service-account/generate",
        "/key/block",
        "/key/unblock",
        "/key/bulk_update",
        "/key/{key}/reset_spend",
        "/key/info",
        "/key/list",
        "/key/aliases",
        "/team/key/bulk_update",
        "/team/daily/activity",
        "/spend/logs",
        "/spend/logs/v2",
    }
)
_SPEND = frozenset(
    {
        "/spend/keys",
        "/spend/users",
        "/spend/tags",
        "/spend/logs",
        "/spend/logs/v2",
        "/spend/logs/ui",
        "/spend/calculate",
        "/key/spend/report",
        "/user/spend/report",
        "/team/spend/report",
        "/organization/spend/report",
    }
)
# Whose endpoints ask by themselves whether it is one's own.
_SELF_MANAGED = frozenset(
    {
        "/team/member_add",
        "/team/member_delete",
        "/team/member_update",
        "/team/update",
        "/team/permissions_list",
        "/team/permissions_update",
        "/team/{team_id}/members/me",
        "/team/{team_id}/member/{user_id}/reset_spend",
        "/team/{team_id}/member/{user_id}/reset_budget",
        "/team/daily/activity",
        "/team/spend/by_user",
        "/user/daily/activity",
        "/user/daily/activity/aggregated",
        "/user/daily/activity/export",
        "/user/list",
        "/user/available_roles",
        "/user/password/change",
        "/organization/daily/activity",
        "/model/new",
        "/model/update",
        "/model/delete",
        "/model/{model_id}/update",
        "/project/*",
        "/invitation/new",
        "/invitation/delete",
        "/prompt/list",
        "/prompt/info",
    }
)
_INTERNAL_USER = _SPEND | _KEYS | {"/global/activity*", "/tag/list", "/tag/daily/activity", "/models/{model}"}
_ADMIN_VIEWER = _INFO | {
    "/audit",
    "/audit/{audit_id}",
    "/budget/list",
    "/budget/settings",
    "/customer/info",
    "/customer/list",
    "/end_user/info",
    "/end_user/list",
    "/user/list",
    "/user/daily/activity",
    "/team/daily/activity",
    "/organization/daily/activity",
    "/customer/daily/activity",
    "/spend/*",
    "/global/spend*",
    "/global/activity*",
}
_ORG_ADMIN_ONLY = frozenset(
    {
        "/organization/info",
        "/organization/delete",
        "/organization/member_add",
        "/organization/member_update",
        "/organization/member_delete",
    }
)
_ORG_ADMIN = (
    _ORG_ADMIN_ONLY
    | _SELF_MANAGED
    | _ADMIN_VIEWER
    | {
        "/key/*",
        "/user/new",
        "/user/update",
        "/user/delete",
        "/user/bulk_update",
        "/team/new",
        "/team/{team_id}",
        "/team/delete",
        "/team/block",
        "/team/unblock",
    }
)
# Groups that stand for what a key may have been made for.
PRESETS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "llm_api": ("llm_api_routes",),
    "management": ("management_routes",),
    "read_only": ("info_routes",),
}


def _calls_models(route: str) -> bool:
    first, _, rest = route.lstrip("/").partition("/")
    if first == "api":
        return rest.partition("/")[0] == "jobs"
    return first in _CALLS and not route.endswith("/model/info")


_GROUPS: Mapping[str, Callable[[str], bool]] = {
    "llm_api_routes": _calls_models,
    "openai_routes": _calls_models,
    "management_routes": lambda route: not _calls_models(route),
    "info_routes": lambda route: _listed(_INFO, route),
    "key_management_routes": lambda route: _listed(_KEYS, route),
    "spend_tracking_routes": lambda route: _listed(_SPEND, route),
    "self_managed_routes": lambda route: _listed(_SELF_MANAGED, route),
    "internal_user_routes": lambda route: _listed(_INTERNAL_USER, route),
    "admin_viewer_routes": lambda route: _listed(_ADMIN_VIEWER, route),
    "org_admin_only_routes": lambda route: _listed(_ORG_ADMIN_ONLY, route),
    "org_admin_allowed_routes": lambda route: _listed(_ORG_ADMIN, route),
}


def allows(allowed: Sequence[str], route: str) -> bool:
    """Whether a list of routes has ``route``: by itself, by a pattern, or by a group's name.

    In a pattern ``{key}`` stands for one segment, and a ``*`` at its end for any rest. An empty list has every route.
    """
    return not allowed or any(_has(entry, route) for entry in allowed)


def _has(entry: str, route: str) -> bool:
    return _GROUPS[entry](route) if entry in _GROUPS else _is(entry, route)


def _listed(entries: Iterable[str], route: str) -> bool:
    return any(_is(entry, route) for entry in entries)


def _is(entry: str, route: str) -> bool:
    if entry.endswith("*"):
        return route.startswith(entry[:-1])
    if "{" not in entry:
        return route == entry
    parts, segments = entry.split("/"), route.split("/")
    return len(parts) == len(segments) and all(
        part == segment or (part.startswith("{") and bool(segment))
        for part, segment in zip(parts, segments, strict=True)
    )
