"""Which routes a key may call that is limited to some (contract litellm 2.1, 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    "info_routes": lambda route: route in _INFO,
}


def allows(allowed: Sequence[str], route: str) -> bool:
    """Whether a list of routes has ``route``: by itself, by a prefix that ends in ``*``, or by a group's name.

    An empty list has every route.
    """
    return not allowed or any(_has(entry, route) for entry in allowed)


def _has(entry: str, route: str) -> bool:
    if entry in _GROUPS:
        return _GROUPS[entry](route)
    return route.startswith(entry[:-1]) if entry.endswith("*") else route == entry
