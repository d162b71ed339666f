"""moto's DynamoDB without the way there.

Matching URLs, WSGI requests, signatures and user agents cost several times what the table itself
does; nothing of it can be seen in an answer. Requests are parsed and answers serialized by moto as
always, and update expressions are what they are, but looked through with fewer questions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import moto.core.responses
from botocore.awsrequest import AWSResponse
from botocore.endpoint import Endpoint
from moto.core.utils import method_names_from_class
from moto.dynamodb.parsing import ast_nodes as untyped_ast_nodes
from moto.dynamodb.parsing import expressions as untyped_expressions
from moto.dynamodb.responses import DynamoHandler

from local.intrinsics import ACCOUNT_ID, REGION

# Status, headers, body.
Answer = tuple[int, Any, str | bytes]

TARGET = "DynamoDB_20120810."
_REFUSED = 300
_CONTENT_TYPE = "application/x-amz-json-1.0"
# moto's parsing has no types.
ast_nodes: Any = untyped_ast_nodes
_parser: Any = untyped_expressions.UpdateExpressionParser  # type: ignore[attr-defined]
_BRANCHES = (ast_nodes.Expression, ast_nodes.UpdateExpressionFunction)
_make_request = Endpoint.make_request
# Whether a class is one of these: of abstract ones Python asks their metaclass every time.
_is_one: Callable[[Any, Any], bool] = functools.cache(issubclass)


def install(endpoint_url: str, answer: Callable[[str, bytes], Answer]) -> None:
    """Botocore's DynamoDB clients at `endpoint_url` are answered by `answer(target, body)`."""
    # moto asks for it on every request, and it never changes.
    moto.core.responses.method_names_from_class = functools.cache(method_names_from_class)  # type: ignore[attr-defined]
    # The parsed expression is copied before it is filled in.
    _parser.make = staticmethod(functools.lru_cache(1000)(_parser.make))
    ast_nodes.DepthFirstTraverser.traverse = _traverse
    ast_nodes.Node.find_clauses = _find_clauses

    def make_request(endpoint: Any, operation_model: Any, request_dict: dict[str, Any]) -> Any:
        target = request_dict["headers"].get("X-Amz-Target", "")
        if endpoint.host != endpoint_url or not target.startswith(TARGET):
            return _make_request(endpoint, operation_model, request_dict)
        status, headers, body = answer(target, request_dict["body"])
        content = body.encode() if isinstance(body, str) else body
        parser = endpoint._response_parser_factory.create_parser("json")  # noqa: SLF001 - no other way in
        response = {"status_code": status, "headers": headers, "body": content, "context": {}}
        parsed = parser.parse(response, operation_model.output_shape)
        if status >= _REFUSED:
            endpoint._add_modeled_error_fields(response, parsed, operation_model, parser)  # noqa: SLF001
        return AWSResponse(endpoint_url, status, headers, None), parsed

    Endpoint.make_request = make_request  # type: ignore[method-assign, assignment]


def _traverse(traverser: Any, root: Any) -> Any:
    """Processes the nodes of an update expression bottom up; moto asks at every node anew which ones it is about."""
    kinds = traverser.nodes_to_be_processed()

    def visit(node: Any, position: int) -> Any:
        if not _is_one(type(node), ast_nodes.Node):
            return node
        parent = node.parent
        for index, child in enumerate(node.children or ()):
            traverser.pre_processing_of_child(node, index)
            visit(child, index)
        if _is_one(type(node), kinds):
            node = traverser.process(node)
            node.parent = parent
            if parent:
                parent.children[position] = node
        return node

    return visit(root, -1)


def _find_clauses(node: Any, clause_types: list[type]) -> list[Any]:
    clauses: list[Any] = []
    for child in node.children or ():
        if type(child) in clause_types:
            clauses.append(child)
        elif _is_one(type(child), _BRANCHES):
            clauses += _find_clauses(child, clause_types)
    return clauses


def answered(target: str, body: bytes) -> Answer:
    """What moto answers to a request of DynamoDB's JSON protocol. Callers hold the engine's one lock."""
    handler: Any = DynamoHandler()
    handler.headers = {"X-Amz-Target": target, "Content-Type": _CONTENT_TYPE}
    handler.response_headers = {}
    handler.querystring, handler.uri_match = {}, {}
    handler.region, handler.current_account = REGION, ACCOUNT_ID
    request: Any = SimpleNamespace(
        method="POST", path="/", headers=handler.headers, content_type=_CONTENT_TYPE, values={}, data=body
    )
    handler.parse_parameters(request)
    answer: Answer = handler.call_action()
    return answer
