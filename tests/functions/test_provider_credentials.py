"""Provider credentials: one active per owner and provider, and a secret that never comes out (contract 1.7, Q-42)."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import build
from tests.support.api import NOBODY, Answer, call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.aws import kms
from tollgate.core.errors import ForbiddenError, NotFoundError, ProviderAuthenticationError
from tollgate.core.pagination import PageRequest
from tollgate.credentials import repository
from tollgate.credentials.model import CreateProviderCredential, UpdateProviderCredential
from tollgate.credentials.service import credential_service
from tollgate.telemetry import logger

PATH = "/api/provider-credentials"
CANARY = "canary-0123456789abcdef-WXYZ"
OTHER_CANARY = "canary-fedcba9876543210-ABCD"
NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
FORBIDDEN = problem(403, "forbidden", "This credential may not use this endpoint")


@pytest.fixture(autouse=True)
def log() -> Iterator[io.StringIO]:
    """Everything that is logged; the canaries are looked for after every test."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)
    for canary in (CANARY, OTHER_CANARY):
        assert canary not in stream.getvalue()
        assert canary not in repr(all_items())
        assert canary.encode() not in b"".join(bytes(item.get("ciphertext", b"")) for item in all_items())


def created(**fields: Any) -> Answer:
    request = {"provider": "openai", "credential_name": "main", "api_key": CANARY} | fields
    answer = call("POST", f"{PATH}/create", request)
    assert CANARY not in answer.text
    return answer


def made(**fields: Any) -> str:
    answer = created(**fields)
    assert answer.status == 201, answer.text
    credential_id: str = answer.body["credential_id"]
    return credential_id


def main(credential_id: str, **changes: Any) -> dict[str, Any]:
    """The answer about the plainest credential."""
    return {
        "credential_id": credential_id,
        "organization_id": None,
        "provider": "openai",
        "credential_name": "main",
        "api_base": None,
        "options": {},
        "last4": "WXYZ",
        "is_active": True,
        "metadata": {},
        "created_at": NOON,
        "updated_at": NOON,
    } | changes


def active(*credential_ids: str) -> list[bool]:
    return [call("GET", f"{PATH}/{credential_id}").body["is_active"] for credential_id in credential_ids]


def secret_of(credential_id: str) -> str:
    credential = repository.find(credential_id)
    assert credential is not None
    owner = credential.organization_uid or "platform"
    return kms.decrypt(credential.ciphertext, owner_uid=owner, credential_id=credential_id)


def test_create_for_the_platform(clock: FakeClock) -> None:
    answer = created()
    credential_id = answer.body["credential_id"]
    assert (answer.status, answer.body) == (201, main(credential_id))
    assert secret_of(credential_id) == CANARY
    event = audit_events()[-1]
    assert (event["PK"], event["action"], event["resource_id"]) == (
        "AUDIT#platform", "provider_credential.created", credential_id,
    )  # fmt: skip
    assert '"last4":"WXYZ"' in event["after"]
    assert next(item["number"] for item in all_items() if item["kind"] == "catalogue_version") == 1


def test_create_for_an_organization(clock: FakeClock) -> None:
    build.organization()
    answer = created(
        organization_id="org_acme", provider="azure", api_base="https://acme.openai.azure.com/",
        options={"region": "westeurope", "api_version": "2024-10-21", "deployment": "gpt-4o"},
    )  # fmt: skip
    assert (answer.status, answer.body) == (
        201,
        main(
            answer.body["credential_id"],
            organization_id="org_acme",
            provider="azure",
            api_base="https://acme.openai.azure.com",
            options={"region": "westeurope", "api_version": "2024-10-21", "deployment": "gpt-4o"},
        ),
    )
    assert audit_events()[-1]["organization_id"] == "org_acme"


def test_a_secret_opens_only_for_its_owner_and_credential() -> None:
    build.organization()
    credential = repository.find(made(organization_id="org_acme"))
    assert credential is not None
    assert credential.organization_uid is not None
    for owner, credential_id in (
        ("platform", credential.credential_id),
        (credential.organization_uid, "01J9ZZZZZZZZZZZZZZZZZZZZZZ"),
    ):
        with pytest.raises(ProviderAuthenticationError):
            kms.decrypt(credential.ciphertext, owner_uid=owner, credential_id=credential_id)


def test_nothing_is_shown_of_a_short_secret() -> None:
    assert created(api_key="sk-12345").body["last4"] == ""


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": CANARY + "\n"}, "api_key"),
        ({"api_key": CANARY + " "}, "api_key"),
        ({"api_key": CANARY * 200}, "api_key"),
        ({"api_key": {"secret": CANARY}}, "api_key"),
        ({"api_key": [CANARY]}, "api_key"),
        ({"api_key": None}, "api_key"),
        ({"key": CANARY}, "key"),
        ({"credential_name": ""}, "credential_name"),
        ({"credential_name": "a\x00b"}, "credential_name"),
        ({"credential_name": {"secret": CANARY}}, "credential_name"),
        ({"provider": "custom"}, "api_base"),
        ({"provider": "azure"}, "api_base"),
        ({"provider": {"secret": CANARY}}, "provider"),
        ({"api_base": f"https://user:{CANARY}@llm.example.com"}, "api_base"),
        ({"api_base": f"https://llm.example.com/?key={CANARY}"}, "api_base"),
        ({"api_base": "file:///etc/passwd"}, "api_base"),
        ({"api_base": "http://169.254.170.2/v2"}, "api_base"),
        ({"api_base": "https://"}, "api_base"),
        ({"options": {"region": "eu west"}}, "options.region"),
        ({"options": {"api_key": CANARY}}, "options.api_key"),
    ],
)
def test_create_names_what_is_wrong_and_never_says_the_secret(change: dict[str, Any], field: str) -> None:
    answer = created(**change)
    assert answer.status == 422, answer.text
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert all_items() == []


def test_when_the_key_service_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "KMSInternalException", "Message": "later"}}, "Encrypt")

    monkeypatch.setattr(kms._client(), "encrypt", refuse)
    answer = created()
    assert (answer.status, answer.body["code"], answer.headers["retry-after"]) == (503, "store_unavailable", "1")
    assert all_items() == []


@pytest.mark.parametrize("broken", ['{"api_key": "%s"', '{"api_key": "%s"} x', '["%s"]', '"%s"'])
def test_a_broken_body_never_says_the_secret(broken: str) -> None:
    answer = call("POST", f"{PATH}/create", broken % CANARY)
    assert answer.status == 422
    assert CANARY not in answer.text


@pytest.mark.parametrize("provider", ["local", "nobody", "OpenAI", "", CANARY])
def test_unknown_provider(provider: str) -> None:
    answer = created(provider=provider, api_key=OTHER_CANARY)
    text = "provider: must be one of openai, anthropic, gemini, azure, bedrock, alibaba, fireworks, custom"
    expected = problem(400, "unknown_provider", text, errors=[{"field": "provider", "message": text}])
    assert (answer.status, answer.body) == (400, expected)
    assert all_items() == []


def test_unknown_organization() -> None:
    answer = created(organization_id="org_nope")
    text = "Organization 'org_nope' not found"
    expected = problem(400, "unknown_organization", text, errors=[{"field": "organization_id", "message": text}])
    assert (answer.status, answer.body) == (400, expected)
    assert all_items() == []


def test_azure_takes_a_resource_for_an_address() -> None:
    assert created(provider="azure", options={"resource": "acme"}).status == 201


def test_a_name_is_taken_once_per_owner() -> None:
    build.organization()
    made()
    made(organization_id="org_acme")
    before = all_items()
    answer = created(provider="anthropic")
    expected = problem(400, "credential_exists", "Credential name already exists: 'main'")
    assert (answer.status, answer.body) == (400, expected)
    assert all_items() == before


def test_one_is_active_per_owner_and_provider() -> None:
    build.organization()
    first = made(credential_name="1")
    elsewhere = [made(credential_name="2", provider="anthropic"), made(organization_id="org_acme")]
    second = made(credential_name="3")
    assert active(first, second, *elsewhere) == [False, True, True, True]
    events = [(event["action"], event["resource_id"]) for event in audit_events()[-2:]]
    assert sorted(events) == [
        ("provider_credential.created", second), ("provider_credential.deactivated", first),
    ]  # fmt: skip


def test_activate_and_deactivate(clock: FakeClock) -> None:
    first, second = made(), made(credential_name="2")
    clock.advance(hours=1)
    answer = call("PUT", f"{PATH}/{first}/activate")
    assert (answer.status, answer.body) == (200, main(first, updated_at=ONE))
    assert active(first, second) == [True, False]
    before = all_items()
    assert call("PUT", f"{PATH}/{first}/activate").body == main(first, updated_at=ONE)
    assert all_items() == before
    answer = call("PUT", f"{PATH}/{first}/deactivate")
    assert (answer.status, answer.body) == (200, main(first, is_active=False, updated_at=ONE))
    before = all_items()
    assert call("PUT", f"{PATH}/{first}/deactivate").status == 200
    assert all_items() == before
    assert active(first, second) == [False, False]
    assert call("PUT", f"{PATH}/{second}/activate").body["is_active"] is True


def test_an_activation_that_lost_the_race_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (made(credential_name=name) for name in "123")
    find_active = repository.find_active
    rivals = [second]

    def find_then_lose(uid: str | None, provider: str) -> Any:
        found = find_active(uid, provider)
        if rivals:
            assert call("PUT", f"{PATH}/{rivals.pop()}/activate").status == 200
        return found

    monkeypatch.setattr("tollgate.credentials.repository.find_active", find_then_lose)
    assert call("PUT", f"{PATH}/{first}/activate").status == 200
    assert active(first, second, third) == [True, False, False]


def test_the_organization_goes_while_a_credential_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    build.organization()
    encrypt = kms.encrypt

    def delete_then_encrypt(secret: str, **context: str) -> bytes:
        assert call("DELETE", "/api/organizations/org_acme").status == 200
        return encrypt(secret, **context)

    monkeypatch.setattr("tollgate.aws.kms.encrypt", delete_then_encrypt)
    answer = created(organization_id="org_acme")
    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "organization_id")
    assert [item for item in all_items() if item["kind"] == "provider_credential"] == []


def test_update(clock: FakeClock) -> None:
    credential_id = made(api_base="https://one.example.com", options={"region": "eu"})
    clock.advance(hours=1)
    request = {"credential_name": "new", "api_key": OTHER_CANARY, "api_base": None, "options": {"region": "us"}}
    answer = call("PUT", f"{PATH}/{credential_id}", request)
    expected = main(credential_id, credential_name="new", last4="ABCD", options={"region": "us"}, updated_at=ONE)
    assert (answer.status, answer.body) == (200, expected)
    assert OTHER_CANARY not in answer.text
    assert secret_of(credential_id) == OTHER_CANARY
    assert made(credential_name="main", provider="gemini")
    answer = call("PUT", f"{PATH}/{credential_id}", {"options": None})
    assert answer.body == expected | {"options": {}}
    assert secret_of(credential_id) == OTHER_CANARY


def test_update_to_a_name_that_is_taken() -> None:
    made()
    other = made(credential_name="other", provider="gemini")
    before = all_items()
    answer = call("PUT", f"{PATH}/{other}", {"credential_name": "main"})
    expected = problem(400, "credential_exists", "Credential name already exists: 'main'")
    assert (answer.status, answer.body) == (400, expected)
    assert all_items() == before


@pytest.mark.parametrize("field", ["credential_name", "api_key"])
def test_some_fields_cannot_be_cleared(field: str) -> None:
    answer = call("PUT", f"{PATH}/{made()}", {field: None})
    text = f"{field} may not be null"
    assert (answer.status, answer.body["errors"]) == (422, [{"field": field, "message": text}])


def test_a_custom_provider_keeps_its_address() -> None:
    credential_id = made(provider="custom", api_base="http://127.0.0.1:9000/v1")
    answer = call("PUT", f"{PATH}/{credential_id}", {"api_base": None})
    text = "api_base: provider 'custom' needs an api_base"
    assert (answer.status, answer.body["errors"]) == (422, [{"field": "api_base", "message": text}])


def test_delete() -> None:
    credential_id = made()
    answer = call("DELETE", f"{PATH}/{credential_id}")
    assert (answer.status, answer.body) == (200, {"credential_id": credential_id, "deleted": True})
    assert {item["kind"] for item in all_items()} == {"audit_event", "catalogue_version"}
    assert made() != credential_id


def test_delete_of_an_inactive_one_leaves_the_active_one() -> None:
    first, second = made(), made(credential_name="2")
    assert call("DELETE", f"{PATH}/{first}").status == 200
    assert active(second) == [True]
    assert repository.find_active(None, "openai") is not None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"credential_name": "x"}),
        ("DELETE", "", None),
        ("PUT", "/activate", None),
        ("PUT", "/deactivate", None),
    ],
)
def test_unknown_credential(method: str, path: str, body: Any) -> None:
    answer = call(method, f"{PATH}/nope{path}", body)
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Provider credential 'nope' not found"))


def test_lists(clock: FakeClock) -> None:
    build.organization()
    build.organization("org_other")
    first = made()
    clock.advance(hours=1)
    second = made(organization_id="org_acme", provider="gemini")
    third = made(organization_id="org_other")
    of_acme = main(second, organization_id="org_acme", provider="gemini", created_at=ONE, updated_at=ONE)
    answer = call("GET", f"{PATH}/organization/org_acme")
    assert (answer.status, answer.body) == (200, {"credentials": [of_acme], "next_cursor": None})
    page = call("GET", PATH, query={"limit": 2}).body
    assert {entry["credential_id"] for entry in page["credentials"]} == {second, third}
    rest = call("GET", PATH, query={"cursor": page["next_cursor"]}).body
    assert rest == {"credentials": [main(first)], "next_cursor": None}
    foreign = call("GET", f"{PATH}/organization/org_acme", query={"cursor": page["next_cursor"]})
    assert (foreign.status, foreign.body["code"]) == (400, "invalid_cursor")


def test_the_active_one_of_an_organization(clock: FakeClock) -> None:
    build.organization()
    made()
    credential_id = made(organization_id="org_acme")
    path = f"{PATH}/organization/org_acme/provider"
    answer = call("GET", f"{path}/openai")
    assert (answer.status, answer.body) == (200, main(credential_id, organization_id="org_acme"))
    call("PUT", f"{PATH}/{credential_id}/deactivate")
    for provider in ("openai", "gemini", "nobody"):
        answer = call("GET", f"{path}/{provider}")
        text = f"Organization 'org_acme' has no active credential for '{provider}'"
        assert (answer.status, answer.body) == (404, problem(404, "not_found", text))


@pytest.mark.parametrize("path", ["organization/org_nope", "organization/org_nope/provider/openai"])
def test_lists_of_an_unknown_organization(path: str) -> None:
    answer = call("GET", f"{PATH}/{path}")
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Organization 'org_nope' not found"))


def test_team_keys_and_strangers_are_refused() -> None:
    build.organization()
    mine = key(build.team()["virtual_key"])
    credential_id = made(organization_id="org_acme")
    before = all_items()
    for method, path, body in (
        ("POST", "/create", {"provider": "openai", "credential_name": "x", "api_key": OTHER_CANARY}),
        ("GET", "", None),
        ("GET", "/organization/org_acme", None),
        ("GET", "/organization/org_acme/provider/openai", None),
        ("GET", f"/{credential_id}", None),
        ("PUT", f"/{credential_id}", {"credential_name": "x"}),
        ("DELETE", f"/{credential_id}", None),
        ("PUT", f"/{credential_id}/activate", None),
        ("PUT", f"/{credential_id}/deactivate", None),
    ):
        answer = call(method, PATH + path, body, caller=mine)
        assert (answer.status, answer.body) == (403, FORBIDDEN)
        assert call(method, PATH + path, body, caller=NOBODY).status == 401
    assert all_items() == before


def test_an_organizations_admin_sees_and_changes_only_its_own() -> None:
    """No request can carry such a caller yet; the rule is the service's."""
    build.organization()
    build.organization("org_other")
    own, foreign, platforms = made(organization_id="org_acme"), made(organization_id="org_other"), made()
    admin = Principal(
        actor="u", kind=ActorKind.USER, organization_id="org_acme", organization_roles=(("org_acme", Role.ORG_ADMIN),)
    )
    service = credential_service()
    assert service.get(admin, own).credential_id == own
    assert service.get_active(admin, "org_acme", "openai").credential_id == own
    assert [found.credential_id for found in service.list_of(admin, "org_acme", PageRequest()).entries] == [own]
    before = all_items()
    change = UpdateProviderCredential(credential_name="x")
    for credential_id in (foreign, platforms):
        with pytest.raises(NotFoundError, match=f"Provider credential '{credential_id}' not found"):
            service.get(admin, credential_id)
        for attempt in (service.delete, service.activate, service.deactivate):
            with pytest.raises(NotFoundError):
                attempt(admin, credential_id)
        with pytest.raises(NotFoundError):
            service.update(admin, credential_id, change)
    for organization_id in ("org_other", None):
        request = CreateProviderCredential(
            organization_id=organization_id, provider="openai", credential_name="y", api_key=OTHER_CANARY
        )
        with pytest.raises(NotFoundError):
            service.create(admin, request)
    with pytest.raises(NotFoundError):
        service.list_of(admin, "org_other", PageRequest())
    with pytest.raises(NotFoundError):
        service.list(admin, PageRequest())
    developer = Principal(actor="d", kind=ActorKind.USER, organization_roles=(("org_acme", Role.ORG_DEVELOPER),))
    with pytest.raises(ForbiddenError):
        service.get(developer, own)
    assert all_items() == before


def test_the_secret_is_in_no_representation() -> None:
    request = CreateProviderCredential(provider="openai", credential_name="x", api_key=CANARY)
    change = UpdateProviderCredential(api_key=CANARY)
    for shown in (repr(request), str(change), request.model_dump_json(), repr(change.model_dump())):
        assert CANARY not in shown
