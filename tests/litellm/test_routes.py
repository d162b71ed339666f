"""Which routes a key may call that is limited to groups of them (contract litellm 2.1, 2.2)."""

from __future__ import annotations

import pytest

from tests.litellm.test_keys import e1, generate
from tests.support.api import call, key
from tollgate.auth.routes import allows

GROUPS = {
    "llm_api_routes": (
        ["/v1/chat/completions", "/chat/completions", "/models", "/v1/models/gpt-4", "/engines/a/completions"],
        ["/key/info", "/model/info", "/v1/model/info", "/team/new", "/api/teams"],
    ),
    "openai_routes": (["/v1/embeddings", "/openai/deployments/a/chat/completions"], ["/user/info"]),
    "management_routes": (["/key/generate", "/team/new", "/v1/model/info", "/audit"], ["/v1/chat/completions"]),
    "info_routes": (
        ["/key/info", "/v2/key/info", "/key/list", "/team/info", "/models", "/v1/model/info", "/model_group/info"],
        ["/key/generate", "/team/new", "/v1/chat/completions", "/user/list", "/key/info/more"],
    ),
    "key_management_routes": (
        ["/key/generate", "/key/regenerate", "/key/sk-1234/regenerate", "/key/abc/reset_spend", "/spend/logs"],
        ["/key/a/b/regenerate", "/key//regenerate", "/key/health", "/team/update", "/user/new"],
    ),
    "spend_tracking_routes": (["/spend/logs", "/spend/tags", "/team/spend/report"], ["/global/spend", "/key/list"]),
    "self_managed_routes": (
        ["/team/member_add", "/team/t-1/members/me", "/user/daily/activity", "/model/m-1/update", "/project/list"],
        ["/team/new", "/team/members/me", "/user/new", "/organization/update"],
    ),
    "internal_user_routes": (
        ["/key/generate", "/spend/logs", "/global/activity/model", "/tag/list", "/models/gpt-4"],
        ["/team/new", "/user/list", "/global/spend"],
    ),
    "admin_viewer_routes": (
        ["/audit", "/audit/a-1", "/budget/list", "/customer/info", "/end_user/list", "/user/list", "/team/info"],
        ["/budget/new", "/customer/new", "/key/generate", "/audit/a/b"],
    ),
    "org_admin_only_routes": (
        ["/organization/info", "/organization/member_add", "/organization/member_delete"],
        ["/organization/new", "/organization/list", "/team/new"],
    ),
    "org_admin_allowed_routes": (
        ["/organization/info", "/team/new", "/team/t-1", "/user/new", "/key/regenerate", "/model/new", "/audit"],
        ["/organization/new", "/organization/update", "/budget/new", "/v1/chat/completions"],
    ),
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_its_routes(group: str) -> None:
    inside, outside = GROUPS[group]
    assert [route for route in inside if not allows([group], route)] == []
    assert [route for route in outside if allows([group], route)] == []


def test_routes_by_themselves_by_patterns_and_together() -> None:
    assert allows([], "/anything")
    assert allows(["/key/{key}/regenerate"], "/key/sk-1/regenerate")
    assert not allows(["/key/{key}/regenerate"], "/key/sk-1/other")
    assert allows(["/spend*"], "/spend/logs")
    assert not allows(["/spend"], "/spend/logs")
    assert allows(["info_routes", "/team/new"], "/team/new")
    # A name that is no group's is a route that nobody asks for.
    assert not allows(["no_such_routes"], "/team/new")


def test_a_limited_key_is_told_its_routes() -> None:
    """Before its role and the body are looked at, after who it is (contract 2.2)."""
    limited = generate(key_type="read_only")["key"]
    answer = call("POST", "/team/new", "{broken", caller=key(limited))
    message = (
        "Virtual key is not allowed to call this route. Only allowed to call routes: ['info_routes']. "
        "Tried to call route: /team/new"
    )
    assert (answer.status, answer.body) == (403, e1(message, "auth_error", "None", 403))
    assert call("GET", "/key/info", caller=key(limited)).status == 200


def test_a_route_with_a_key_in_its_path() -> None:
    name = generate()["token"]
    limited = generate(allowed_routes=["key_management_routes"], user_id=None)["key"]
    path = f"/key/{name}/regenerate"
    # The route is open; the key behind it is another's.
    assert call("POST", path, {}, caller=key(limited)).status in {401, 403}
    assert "is not allowed to call this route" not in call("POST", path, {}, caller=key(limited)).text
    other = generate(allowed_routes=["spend_tracking_routes"])["key"]
    assert "Tried to call route: " + path in call("POST", path, {}, caller=key(other)).text
