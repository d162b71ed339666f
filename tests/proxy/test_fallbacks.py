"""Model groups where calls meet them: priority, switched-off models, the next target on what is not our fault (D-12)."""

from __future__ import annotations

from typing import Any

import pytest

from proxy import upstream as sender
from tests.proxy.plane import MODEL, Plane, error
from tests.support import build
from tests.support.api import call
from tests.support.upstream import Behaviour, answer, hang_up, refuse, silent, usage

GROUPS = "/api/model-groups"


def models(*names: str, **members: Any) -> list[dict[str, Any]]:
    return [{"model_name": f"openai/{name}", "priority": place} | members for place, name in enumerate(names)]


def group(*names: str, **members: Any) -> None:
    answer = call("POST", f"{GROUPS}/create", {"group_name": "both", "models": models(*names, **members)})
    assert answer.status == 200, answer.text


def asked(plane: Plane) -> list[str]:
    return [received.body["model"] for received in plane.provider.calls]


def some(plane: Plane, **fields: Any) -> None:
    """Another team, whose key the plane has from now on."""
    plane.key = build.team("acme-some", credits_allocated=5, **fields)["virtual_key"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "first",
    [hang_up(), refuse(429), refuse(500), refuse(503), refuse(401), refuse(403)],
    ids=["connection", "429", "500", "503", "401", "403"],
)
def test_the_next_target_is_asked(plane: Plane, team: dict[str, Any], first: Behaviour, *, streamed: bool) -> None:
    group(MODEL, "second")
    plane.provider.does(MODEL, first)
    plane.provider.does("second", answer("second", used=usage(10, 5)))

    if streamed:
        told = plane.stream("both").text.strip()
    else:
        told = plane.chat("both").json()["choices"][0]["message"]["content"]

    assert (told, asked(plane)) == ("second", [MODEL, "second"])
    record = plane.record()
    assert (record["outcome"], record["requested_model"], record["model_used"]) == ("success", "both", "second")


def test_the_next_target_is_asked_after_a_silence(
    plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_TIMEOUT", sender.aiohttp.ClientTimeout(total=None, sock_read=1))
    group(MODEL, "second")
    plane.provider.does(MODEL, silent())
    plane.provider.does("second", answer())
    assert (plane.chat("both").status_code, asked(plane)) == (200, [MODEL, "second"])


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_fault_of_the_request_is_not_tried_elsewhere(plane: Plane, team: dict[str, Any], status: int) -> None:
    group(MODEL, "second")
    plane.provider.does(MODEL, refuse(status))
    assert plane.chat("both").status_code == status
    assert asked(plane) == [MODEL]


def test_priority_decides_not_the_place(plane: Plane, team: dict[str, Any]) -> None:
    names = {"third": 7, "first": 0, "second": 3}
    listed = [{"model_name": f"openai/{name}", "priority": priority} for name, priority in names.items()]
    assert call("POST", f"{GROUPS}/create", {"group_name": "both", "models": listed}).status == 200
    for name in ("first", "second"):
        plane.provider.does(name, refuse(500))
    plane.provider.does("third", answer())
    assert plane.chat("both").status_code == 200
    assert asked(plane) == ["first", "second", "third"]


def test_a_model_that_is_switched_off_is_never_asked(plane: Plane, team: dict[str, Any]) -> None:
    group(MODEL, "second")
    for name in (MODEL, "second"):
        plane.provider.does(name, answer())
    off = models(MODEL, is_active=False) + models("second")
    assert call("PUT", f"{GROUPS}/both", {"models": off}).status == 200
    assert plane.chat("both").status_code == 200
    assert asked(plane) == ["second"]


def test_what_a_closed_group_says(plane: Plane, team: dict[str, Any]) -> None:
    """Contract 4; and it is gone from what there is to choose."""
    group(MODEL, is_active=False)
    none = "No active models configured for group 'both'"
    available = ["fast", "local/echo"]
    refused = plane.chat("both")
    expected = error(403, "model_inactive", none, param="model", available_models=available)
    assert (refused.status_code, refused.json()) == (403, expected)
    assert [one["id"] for one in plane.get("/models").json()["data"]] == available
    call("PUT", f"{GROUPS}/both", {"models": models(MODEL), "status": "inactive"})
    assert plane.chat("both").json()["error"]["message"] == "Model group 'both' not found or inactive"
    plane.provider.does(MODEL, answer())
    call("PUT", f"{GROUPS}/both", {"status": "active"})
    assert plane.chat("both").status_code == 200


def test_a_team_that_does_not_have_the_group_hears_no_more(plane: Plane, team: dict[str, Any]) -> None:
    """The check of access comes first, whatever the group is (contract 4)."""
    group(MODEL, is_active=False)
    some(plane, model_groups=["fast"])
    refused = plane.chat("both").json()["error"]
    assert (refused["type"], refused["available_models"]) == ("team_model_access_denied", ["fast"])


def test_single_aliases_of_a_team(plane: Plane, team: dict[str, Any]) -> None:
    plane.alias("slow")
    plane.provider.does(MODEL, answer())
    some(plane, model_groups=["fast"])
    assert (plane.chat().status_code, plane.chat("slow").status_code) == (200, 403)
    call("PUT", "/api/teams/acme-some/model-groups", {"model_groups": ["slow"]})
    assert (plane.chat().status_code, plane.chat("slow").status_code) == (403, 200)


def test_a_denied_model_under_the_native_api(plane: Plane, team: dict[str, Any]) -> None:
    """The problem document carries the members of the documentation's page on access, too."""
    plane.alias("slow")
    some(plane, model_groups=["fast"])
    body = {"team_id": "acme-some", "job_type": "chat", "model": "slow", "messages": [{"role": "user", "content": "?"}]}
    refused = plane.client.post("/api/jobs/create-and-call", json=body, headers=plane.headers())
    shown = refused.json()
    assert (refused.status_code, shown["code"]) == (403, "team_model_access_denied")
    assert shown["detail"] == "Model access denied: team does not have access to model 'slow'"
    assert (shown["error"], shown["message"], shown["available_models"]) == (
        "Model access denied",
        "Team does not have access to model 'slow'",
        ["fast"],
    )


def test_the_default_model_of_a_team(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer())
    some(plane, access_groups=["*"], default_model="fast")
    body = {"team_id": "acme-some", "job_type": "chat", "messages": [{"role": "user", "content": "?"}]}
    response = plane.client.post("/api/jobs/create-and-call", json=body, headers=plane.headers())
    assert (response.status_code, asked(plane)) == (200, [MODEL])
