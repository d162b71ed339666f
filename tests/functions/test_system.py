"""What is open to everyone: health, the OpenAPI document and the pages over it (contract 1.8, Q-32)."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from pydantic import BaseModel

import admin
from tests.support.api import FUNCTIONS, NOBODY, ROUTES, call, event, invoke
from tollgate.auth.policy import GRANTS
from tollgate.http import openapi
from tollgate.http.api import admin_api
from tollgate.http.openapi_examples import EXAMPLES

ERRORS = {"400", "401", "403", "404", "409", "413", "422", "429", "500", "503"}
PAGES = {"/openapi.json", "/docs", "/redoc"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = call("GET", "/openapi.json", caller=NOBODY)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.body
    return body


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): operation for path, item in document["paths"].items() for method, operation in item.items()}


def wired(*packages: str) -> set[tuple[str, str]]:
    """The routes of the template that handlers of these packages answer."""
    return {
        (route.method.lower(), route.path.replace("+}", "}"))
        for route in ROUTES
        if route.function is not None
        and route.path not in PAGES
        and FUNCTIONS[route.function].handler.startswith(tuple(f"{package}." for package in packages))
    }


def admin_operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {place: own for place, own in operations(document).items() if place in wired("admin")}


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_it_has_every_route_of_the_api_and_no_other(document: dict[str, Any]) -> None:
    documented = set(operations(document))
    assert documented >= wired("admin", "litellm")
    # The rest is the data plane's, which is no Powertools app.
    planes = documented - wired("admin", "litellm")
    assert {path for _, path in planes if not path.startswith("/v1")} == {
        route.path
        for route in ROUTES
        if route.function == "ProxyFunction" and route.path.startswith(("/api/", "/health"))
    }


def test_operation_ids_are_unique_and_every_operation_is_tagged(document: dict[str, Any]) -> None:
    every = operations(document)
    assert [name for name, number in Counter(own["operationId"] for own in every.values()).items() if number > 1] == []
    assert [place for place, own in every.items() if not own.get("tags") or not own.get("summary")] == []
    assert {tag["name"] for tag in document["tags"]} == {tag for own in every.values() for tag in own["tags"]}


def test_every_operation_has_the_errors_as_problem_documents(document: dict[str, Any]) -> None:
    for place, operation in admin_operations(document).items():
        assert set(operation["responses"]) >= ERRORS, place
        for status in ERRORS:
            reference = operation["responses"][status]["$ref"]
            response = document["components"]["responses"][reference.rpartition("/")[2]]
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["example"]["status"] == int(status)
            OAS31Validator(document["components"]["schemas"]["Problem"]).validate(content["example"])
        assert [code for code in operation["responses"] if code < "400"], place


def test_a_real_error_is_as_documented(document: dict[str, Any]) -> None:
    problem = OAS31Validator(document["components"]["schemas"]["Problem"])
    problem.validate(call("GET", "/api/model-aliases/nope").body)
    problem.validate(call("POST", "/api/model-aliases/create", {}).body)
    problem.validate(call("GET", "/api/model-aliases", caller=NOBODY).body)


def test_only_open_operations_ask_for_no_credential(document: dict[str, Any]) -> None:
    apps = [
        importlib.import_module(module.name).app
        for module in pkgutil.walk_packages(admin.__path__, "admin.")
        if not module.ispkg
    ]
    actions = {
        (method, path): app.action
        for app in apps
        for path, item in (app.get_openapi_schema().paths or {}).items()
        for method in METHODS
        if getattr(item, method) is not None
    }
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["type"] for name, scheme in schemes.items()} == {"bearer": "http", "adminKey": "apiKey"}
    for place, operation in admin_operations(document).items():
        action = actions[place]
        assert operation["security"] == ([{"bearer": []}, {"adminKey": []}] if action else [])
        if action:
            assert all(role in operation["description"] for role in GRANTS[action])


def test_examples_agree_with_their_schemas(document: dict[str, Any]) -> None:
    shown = {}
    for place, operation in operations(document).items():
        if "requestBody" not in operation or place not in wired("admin", "litellm"):
            continue
        content = operation["requestBody"]["content"]["application/json"]
        if "example" in content:
            shown[operation["operationId"]] = content["example"]
            OAS31Validator(content["schema"] | {"components": document["components"]}).validate(content["example"])
        elif place in wired("admin"):
            # Only the second method of a pair, such as PUT beside POST, may do without.
            assert "_api_" in operation["operationId"]
    assert shown == EXAMPLES


def test_paging_is_documented(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/model-aliases"]["get"]["parameters"]
    limit = next(parameter for parameter in parameters if parameter["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)


def test_the_secret_of_a_credential_is_write_only(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["CreateProviderCredential"]["properties"]["api_key"]["writeOnly"] is True
    assert "api_key" not in schemas["CredentialAnswer"]["properties"]


@pytest.mark.parametrize(("prefix", "server"), [("", "/"), ("/prod", "/prod"), ("/base/path", "/base/path")])
def test_addresses_have_the_stage_in_front(prefix: str, server: str) -> None:
    proxied = event("GET", "/openapi.json", caller=NOBODY)
    proxied["requestContext"]["path"] = prefix + "/openapi.json"
    assert invoke("OpenApiFunction", proxied).body["servers"] == [{"url": server}]


def test_two_schemas_of_one_name_are_no_document() -> None:
    class Same(BaseModel):
        one: int

    first = Same

    class Same(BaseModel):  # type: ignore[no-redef]
        two: str

    apps = []
    for number, model in enumerate((first, Same)):
        app = admin_api(None)

        def answer() -> Any:
            return None

        answer.__annotations__["return"] = model
        app.get(f"/{number}", summary="s", tags=["t"])(answer)
        apps.append(app)
    with pytest.raises(ValueError, match="two schemas are named Same"):
        openapi.merged(apps, {}, "")


def test_routes_from_elsewhere_are_merged_in() -> None:
    schema = {"type": "object"}
    operation = {
        "operationId": "chat",
        "tags": ["OpenAI"],
        "summary": "Chat",
        "responses": {"200": {"description": "ok"}},
    }
    other = {"paths": {"/v1/chat/completions": {"post": operation}}, "components": {"schemas": {"Chat": schema}}}
    document = openapi.merged([], other, "/prod")
    validate(document)
    assert document["paths"] == other["paths"]
    assert document["components"]["schemas"]["Chat"] == schema
    assert document["tags"] == [{"name": "OpenAI"}]


class Page(HTMLParser):
    """What a page would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href"}]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_are_self_contained(path: str) -> None:
    answer = call("GET", path, caller=NOBODY)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert page.loaded == []
    assert page.tags["script"] >= 1
    # The document is fetched from beside the page, whatever stands in front of both.
    assert re.search(r"""(url: |fetch\()"openapi\.json\"""", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    # What API Gateway passes on at most.
    assert len(answer.text.encode()) < 6 * 1024 * 1024
