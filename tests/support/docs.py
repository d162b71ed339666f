"""`make docs`: the parts of the documentation that are made from code.

docs/errors.md, docs/permissions.md and docs/litellm-roles.md have a head that people write, down to ``MARK``; what follows it is written
here. A test fails when a page is not what the code gives.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
# As pytest's settings have it; `make docs` runs without them.
sys.path += [str(ROOT / "functions"), str(ROOT / "layers/shared")]

from tests.support.api import FUNCTIONS, ROUTES  # noqa: E402
from tests.support.environment import template  # noqa: E402
from tests.support.litellm_roles import CALLERS, EACH_REFUSED  # noqa: E402
from tests.support.litellm_roles import ROWS as LITELLM_ROLES  # noqa: E402
from tests.support.requests import dialect_endpoints  # noqa: E402
from tollgate.auth.policy import GRANTS, Action  # noqa: E402
from tollgate.auth.principal import Role  # noqa: E402
from tollgate.core import errors  # noqa: E402
from tollgate.http import openai_errors, problems  # noqa: E402
from tollgate.settings import settings  # noqa: E402
from tollgate.table import transactions  # noqa: E402

DOCS = ROOT / "docs"
MARK = "<!-- From here on: `make docs`. Do not edit by hand. -->"
PROFILES = ("1.106", "1.80")

# When each code is answered. A code without an entry, or an entry without a code, is an error of `make docs`.
WHEN = {
    "access_group_exists": "an access group of that name exists already",
    "alert_rule_inactive": "an alert rule that is switched off is not tested",
    "alias_exists": "a model alias of that name exists already",
    "already_exists": "the id is taken",
    "already_refunded": "the call or the deduction was refunded before",
    "auth_error": "no credential, or a malformed one",
    "budget_allocated": "the teams' shares would be more than the organization's budget, or than the others have left of it",
    "budget_in_use": "an entity uses the shared budget",
    "builtin_access_group": "a builtin access group cannot be deleted",
    "calls_in_flight": "a job does not end while a call of it is running",
    "conflict": "somebody else changed the same thing at the same time, several times in a row; send it again",
    "context_length_exceeded": "`local/echo`: the prompt is longer than the model's context window",
    "credential_exists": "the owner has a provider credential of that name already",
    "credential_in_use": "a model names the provider credential",
    "customer_blocked": "the end user whom `user` names is blocked",
    "customer_exists": "a customer of that id is known already",
    "customer_model_access_denied": "the customer's own list does not have the model; `available_models` shows what there is",
    "email_exists": "a user has that e-mail address",
    "expired_key": "the key has expired",
    "forbidden": "the caller's role does not allow it, or the team is another one of his own organization",
    "idempotency_answer_lost": "the request under this `Idempotency-Key` was done, and its process died before it answered; look at the resource",
    "idempotency_key_in_use": "the first request under this `Idempotency-Key` is still running",
    "open_jobs": "the team or the organization has jobs that are not over; complete or cancel them",
    "precondition_failed": "`If-Match` names another version of the resource than there is; read it again",
    "too_many_webhooks": "a team or an organization has at most 10 webhooks",
    "idempotency_key_reused": "the same `Idempotency-Key` came with another body within 24 hours",
    "budget_exceeded": "a budget in USD is used up; `scope`, `limit_type`, `limit`, `spent`, `reserved` and `resets_at` say which and how far",
    "insufficient_credits": "the credits are used up; `limit`, `spent` and `reserved` say how far",
    "internal_error": "nobody foresaw it; the log has it under the request's id",
    "invalid_api_key": "no credential, or one that is malformed, unknown, revoked or deleted",
    "invalid_cursor": "the cursor was not made for this list and filter",
    "invalid_login": "no user has that e-mail address and that password",
    "invalid_request": "a field is missing, unknown or of a wrong type or value; `errors` names the fields",
    "job_closed": "the job has ended, and otherwise than it should now; or a call was to be made in it",
    "key_blocked": "the key is blocked",
    "key_has_no_team": "the credential is not the key of a team",
    "key_model_access_denied": "the key's own list does not have the model; `available_models` shows what there is",
    "last_owner": "an organization that has owners keeps one, and so does the platform",
    "key_alias_exists": "`key_alias` is another key's, among those that LiteLLM's API has named",
    "key_exists": "the `key` that the client has chosen is taken",
    "member_exists": "the user is a member already",
    "model_access_denied": "the caller may not use the model",
    "max_input_tokens_exceeded": "a request has more input tokens than its user may send",
    "model_region_denied": "no target of the model is in the region that the user or the customer is kept to",
    "model_inactive": "the model is switched off, or all its targets are; `available_models` shows what there is",
    "model_not_found": "no alias has that name",
    "no_organization": "the team has no organization to exchange credits with",
    "not_charged": "the call or the deduction charged nothing",
    "not_found": "it does not exist, or it is another tenant's",
    "not_refundable": "only interrupted calls and deductions are refunded",
    "nothing_to_adjust": "no `max_budget` counts what is spent there",
    "nothing_to_allocate": "the organization has no `max_budget` to take a share from",
    "organization_blocked": "the organization is blocked",
    "organization_deleting": "the organization is being deleted and takes nothing new",
    "organization_exists": "an organization of that id exists already",
    "organization_has_active_teams": "the organization has active teams; suspend them first",
    "organization_suspended": "the organization is suspended",
    "provider_authentication_error": "the provider refused Tollgate's credential, or there is none; after all targets",
    "provider_error": "the provider failed; after all targets",
    "provider_request_error": "the provider refused the request itself: its own status, type and message",
    "provider_timeout": "the provider did not answer in time; after all targets",
    "provider_unavailable": "the provider could not be reached, failed, or broke off; after all targets",
    "role_not_allowed": "the key's user is a viewer of the platform, who calls no models",
    "rate_limited": "refused for the moment; `Retry-After` says for how long",
    "refused_request": "well-formed, but it means nothing here",
    "request_too_large": "the body has more than 5 MB",
    "reserved": "the credits are there, but held by calls in flight; `Retry-After: 1`",
    "setup_done": "there is an admin user already; log in",
    "store_unavailable": "the table did not answer; `Retry-After: 1`",
    "team_active": "an active team is deleted only with `force=true`",
    "team_blocked": "the team is blocked",
    "budget_exists": "a shared budget of that id exists already",
    "team_too_large": "the team has more keys and members than can be moved to another organization at once",
    "team_exists": "a team of that id exists already",
    "team_model_access_denied": "the team's lists do not have the model; `available_models` shows what there is",
    "route_not_allowed": "the key is limited to other routes (`allowed_routes`)",
    "team_paused": "the team is paused",
    "team_suspended": "the team is suspended",
    "token_not_found_in_db": "the key is unknown, revoked or deleted, or its team or organization is",
    "too_many_models": "more models are added and removed than one transaction holds",
    "too_many_alert_rules": "the owner has as many alert rules as he may have",
    "unknown_access_group": "there is no access group of that name",
    "unknown_model_group": "there is no access group and no model alias of that name",
    "unknown_budget": "there is no shared budget of that id",
    "unknown_organization": "there is no organization of that id to own the credential",
    "unknown_provider": "there is no provider of that name",
    "unknown_user": "there is no user of that id, or none whom the caller may name",
    "user_blocked": "the user who logs in, or whose key it is, was deactivated",
    "sso_user_id_exists": "a user has that id of the identity provider",
    "user_exists": "a user of that id exists already",
    "wrong_state": "not in this state, such as pausing a suspended team",
}


@dataclass(frozen=True)
class Code:
    """A stable code, and the class that carries it."""

    name: str
    kind: type[errors.TollgateError]


def main() -> None:
    for name, generate in PAGES.items():
        path = DOCS / name
        path.write_text(_head(path) + generate())


def expected(name: str) -> str:
    """The whole page as it should be: its own head, and what the code gives."""
    return _head(DOCS / name) + PAGES[name]()


def errors_page() -> str:
    """Every code with its statuses on both surfaces, and the answers of API Gateway itself."""
    rows = [_row(code) for code in codes()]
    head = ["code", "class", "`/api`", "`/v1`", "`/v1`, profile 1.80", "`/v1` type", "when"]
    gateway = [_gateway_row(kind, text) for kind, text in _gateway_responses()]
    return (
        "\n\n## Codes\n\n"
        + _table(head, rows)
        + "\n## Answers of API Gateway itself\n\n"
        + "They have no logic, so one body carries both shapes.\n\n"
        + _table(["response", "status", "code", "`/v1` type", "detail"], gateway)
    )


def permissions_page() -> str:
    """Actions by roles, and the action of every endpoint."""
    roles = list(Role)
    grants = [[f"`{action}`", *("yes" if role in GRANTS[action] else "" for role in roles)] for action in Action]
    endpoints = [
        [f"`{route}`", f"`{action}`" if action else "none: open to everyone"] for route, action in endpoint_actions()
    ]
    return (
        "\n\n## Action and role\n\n"
        + _table(["action", *(f"`{role}`" for role in roles)], grants)
        + "\n## Endpoint and action\n\n"
        + _table(["endpoint", "action"], endpoints)
    )


def litellm_roles_page() -> str:
    """Every route of the dialect by every kind of caller; paths that one function answers are one row."""
    paths: dict[str, list[str]] = {}
    functions = {str(one): one.function for one in dialect_endpoints()}
    for endpoint, function in functions.items():
        paths.setdefault(function, []).append(endpoint)
    rows = [
        [
            ", ".join(
                f"`{name}`" for name in [row.route, *(one for one in paths[functions[row.route]] if one != row.route)]
            ),
            row.what,
            *(_outcome(status) for status in row.expected()),
        ]
        for row in LITELLM_ROLES
    ]
    return "\n\n## Route and caller\n\n" + _table(["route", "what", *CALLERS], rows)


def _outcome(status: int) -> str:
    if status == EACH_REFUSED:
        return "each refused"
    return "yes" if status < 400 else str(status)


def codes() -> list[Code]:
    """Every code that can be answered, class by class. Raises ValueError where ``WHEN`` is out of date."""
    # A class without a code of its own is answered as its parent.
    found = {(kind.code, kind) for kind in _classes().values() if "code" in vars(kind)}
    patterns = []
    for kind, text in _codes_in_calls():
        if "*" in text:
            patterns.append((text, kind))
        else:
            found.add((text, kind))
    own = {text for text, _ in found}
    for pattern, kind in patterns:
        matching = {(name, kind) for name in WHEN if fnmatchcase(name, pattern) and name not in own}
        if not matching:
            raise ValueError(f"no entry of WHEN is a {pattern}")
        found |= matching
    # The class stands in for its entities.
    found.discard((errors.BlockedError.code, errors.BlockedError))
    if wrong := {text for text, _ in found} ^ set(WHEN):
        raise ValueError(f"WHEN does not agree with the code: {sorted(wrong)}")
    order = list(_classes().values())
    return [Code(text, kind) for text, kind in sorted(found, key=lambda one: (order.index(one[1]), one[0]))]


def endpoint_actions() -> Iterator[tuple[str, Action | None]]:
    """Every admin endpoint of the template with the action its handler module names."""
    for route in ROUTES:
        handler = FUNCTIONS[route.function].handler if route.function else ""
        if handler.startswith(("admin.", "litellm.")):
            module = importlib.import_module(handler.removesuffix(".handler"))
            yield f"{route.method} {route.path}", module.app.action


def _classes() -> dict[str, type[errors.TollgateError]]:
    """The domain errors by name, every parent before its children."""

    def below(kind: type[errors.TollgateError]) -> Iterator[type[errors.TollgateError]]:
        yield kind
        for child in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
            # The dialect's own has a status and a text for each case, and no code.
            if not child.__module__.startswith("tollgate.litellm"):
                yield from below(child)

    assert issubclass(transactions.LostRaceError, errors.WrongStateError)
    return {kind.__name__: kind for kind in below(errors.TollgateError)}


def _codes_in_calls() -> Iterator[tuple[type[errors.TollgateError], str]]:
    """Codes that are given where an error is raised; the varying part of one as ``*``."""
    classes = _classes()
    for folder in ("layers/shared/tollgate", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for scope in ast.walk(ast.parse(path.read_text())):
                owner = scope.name if isinstance(scope, ast.ClassDef) else ""
                calls = [scope] if isinstance(scope, ast.Call) else _super_calls(scope) if owner in classes else []
                for call in calls:
                    name = owner or (call.func.id if isinstance(call.func, ast.Name) else "")
                    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
                    if name in classes and given and (text := _text(given[0])):
                        yield classes[name], text


def _super_calls(scope: ast.AST) -> list[ast.Call]:
    """The calls inside a class; only ``super().__init__(code=…)`` has a code."""
    return [node for node in ast.walk(scope) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]


def _text(value: ast.expr) -> str | None:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if isinstance(value, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in value.values)
    return None


def _row(code: Code) -> list[str]:
    error = _example(code)
    native = str(int(problems.status_of(error)))
    answers = [_openai_answer(error, profile) for profile in PROFILES]
    statuses = [str(answer.status) for answer in answers]
    kind = str(answers[0].body["error"]["type"])
    if code.kind is errors.ProviderRequestError and code.name == errors.ProviderRequestError.code:
        statuses = ["the provider's", "the provider's"]
        kind = f"the provider's, else {kind}"
    return [
        f"`{code.name}`",
        code.kind.__name__,
        native,
        statuses[0],
        "=" if statuses[1] == statuses[0] else statuses[1],
        kind if " " in kind else f"`{kind}`",
        WHEN[code.name],
    ]


def _example(code: Code) -> errors.TollgateError:
    """An error of that code without the arguments that its class asks for."""
    error = code.kind.__new__(code.kind)
    errors.TollgateError.__init__(error, "text", code=code.name)
    more = {"retry_after": 1, "status": 400, "entity": "Key", "entity_id": "id"}
    error.__dict__.update(more)
    return error


def _openai_answer(error: errors.TollgateError, profile: str) -> openai_errors.ErrorAnswer:
    profiled = replace(settings(), litellm_compat=profile)
    with patch.object(openai_errors, "settings", lambda: profiled):
        return openai_errors.answer(error)


def _gateway_responses() -> Iterator[tuple[str, str]]:
    for kind, response in sorted(template.gateway_responses().items()):
        yield kind, response.templates["application/json"]


def _gateway_row(kind: str, text: str) -> list[str]:
    quoted = text.replace("$context.error.messageString", '"API Gateway\'s own words"')
    body = json.loads(quoted)
    detail = re.sub(r"\$context\.authorizer\.message", "the authorizer's words", body["detail"])
    detail = detail.replace("$context.requestId", "{request id}")
    told = body["error"]["type"].replace("$context.authorizer.error_type", "auth_error`, `token_not_found_in_db")
    return [kind, str(body["status"]), f"`{body['code']}`", f"`{told}`", detail]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _head(path: Path) -> str:
    """What people wrote, the mark included. Raises ValueError for a page without a mark."""
    head, mark, _ = path.read_text().partition(MARK)
    if not mark:
        raise ValueError(f"{path.name} has no line {MARK}")
    return head + mark


PAGES = {"errors.md": errors_page, "permissions.md": permissions_page, "litellm-roles.md": litellm_roles_page}

if __name__ == "__main__":
    main()
