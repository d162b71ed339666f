"""Reading a template: intrinsic functions, and what the stack declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.intrinsics import Resolver, load_template
from local.routing import Router
from local.settings import ROOT
from local.template import Route, Template

if TYPE_CHECKING:
    from local.cloud import Cloud

SOURCE = load_template(
    """
Parameters:
  Name: {Type: String, Default: demo}
  Empty: {Type: String, Default: ""}
Conditions:
  HasName: !Not [!Equals [!Ref Name, ""]]
  HasEmpty: !Not [!Equals [!Ref Empty, ""]]
  Both: !And [!Condition HasName, !Condition HasEmpty]
Mappings: {Sizes: {small: {memory: 128}}}
Resources:
  Worker: {Type: AWS::Serverless::Function}
  Named: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Name}-queue"}}
  Table: {Type: AWS::DynamoDB::Table}
"""
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", "demo"),
        ("!Ref Named", "demo-queue"),
        ("!Ref Table", "tollgate-Table"),
        ("!GetAtt Worker.Arn", "arn:aws:lambda:us-east-1:123456789012:function:Worker"),
        ('!Sub "${Name}/${AWS::Region}/${!Literal}"', "demo/us-east-1/${Literal}"),
        ('!Sub ["${a}-${Name}", {a: !Ref Name}]', "demo-demo"),
        ("!Join [':', [a, !Ref Name]]", "a:demo"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!FindInMap [Sizes, small, memory]", 128),
        ("!If [HasName, yes-it-has, no]", "yes-it-has"),
        ("!If [Both, 1, 2]", 2),
        ("{a: !If [HasEmpty, 1, !Ref AWS::NoValue], b: [!Ref AWS::NoValue, 2]}", {"b": [2]}),
    ],
)
def test_intrinsic_functions(text: str, value: Any) -> None:
    assert Resolver(SOURCE)(load_template(text)) == value


def test_parameters_can_be_given() -> None:
    assert Resolver(SOURCE, {"Empty": "x"})(load_template("!If [Both, 1, 2]")) == 1


def test_the_table_is_created_as_declared(cloud: Cloud) -> None:
    described = cloud.engine.client("dynamodb").describe_table(TableName="demo-table")["Table"]
    assert [entry["AttributeName"] for entry in described["KeySchema"]] == ["PK", "SK"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    ttl = cloud.engine.client("dynamodb").describe_time_to_live(TableName="demo-table")
    assert ttl["TimeToLiveDescription"]["AttributeName"] == "ttl"


def test_functions_have_globals_merged_in(cloud: Cloud) -> None:
    echo = cloud.template.functions()["EchoFunction"]
    assert (echo.timeout, echo.memory_mb) == (10, 256)
    assert echo.environment == {"GREETING": "hello", "DEMO_TABLE": "demo-table"}


def test_authorizers_as_sam_decides(cloud: Cloud) -> None:
    """NONE wins; a named one next; an operation without any has the default one."""
    chosen = {(route.method, route.path): route.authorizer for route in cloud.template.routes()}
    assert chosen["GET", "/open"] is None
    assert chosen["PUT", "/items/{item_id}"] == "Uncached"
    assert chosen["GET", "/default"] == "Cached"


def test_security_schemes_declare_authorizers_too() -> None:
    scheme = load_template(
        """
    Resources:
      Authorizer: {Type: AWS::Serverless::Function}
      Api:
        Type: AWS::Serverless::Api
        Properties:
          DefinitionBody:
            components:
              securitySchemes:
                Keys:
                  type: apiKey
                  x-amazon-apigateway-authorizer:
                    type: request
                    identitySource: method.request.header.Authorization, method.request.header.X-Two
                    authorizerResultTtlInSeconds: 60
                    authorizerUri: !Sub arn:aws:apigateway:x:lambda:path/2015-03-31/functions/${Authorizer.Arn}/invocations
    """
    )
    keys = Template(scheme).authorizers()["Keys"]
    assert (keys.function, keys.headers, keys.ttl) == ("Authorizer", ("Authorization", "X-Two"), 60)


def test_two_variable_names_on_one_level_are_refused() -> None:
    routes = [
        Route(
            method="GET",
            path=path,
            function="F",
            authorizer=None,
            streaming=False,
            timeout=29,
        )
        for path in ("/a/{one}", "/a/{two}/b")
    ]
    with pytest.raises(ValueError, match="one variable name per path level"):
        Router(routes)


def test_the_real_template_runs_here() -> None:
    """Everything in template.yaml is understood: routes, authorizers, workers, table."""
    template = Template.load(ROOT / "template.yaml")
    functions = template.functions()
    routes = template.routes()
    Router(routes)
    assert {route.function for route in routes} - {None} <= functions.keys()
    authorizers = template.authorizers()
    assert {route.authorizer for route in routes} - {None} == authorizers.keys()
    assert all(one.headers for one in authorizers.values() if one.ttl)
    workers = [*template.schedules(), *template.stream_sources()]
    assert {worker.function for worker in workers} <= functions.keys()
    assert template.table()["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert template.ttl_attribute() == "ttl"
