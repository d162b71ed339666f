"""Limits on scopes, for tests: as the admin plane stores them."""

from __future__ import annotations

from typing import Any

from tests.support.environment import TABLE, engine
from tests.support.items import all_items
from tollgate.core import ids
from tollgate.limits.model import Limits, Scope
from tollgate.limits.stored import to_map
from tollgate.table import keys

_client = engine.client("dynamodb")
_IDS = {"organization": "organization_id", "team": "team_id", "key": "key_id", "user": "user_id"}


def limit(scope: str, scope_id: str, **fields: Any) -> None:
    """Sets all limits of a scope; tags, customers, the platform are made if they are not there."""
    stored = {"M": to_map(Limits(**fields))}
    place = _place(Scope(scope), scope_id)
    _client.update_item(
        TableName=TABLE,
        Key=place,
        UpdateExpression="SET limits = :limits",
        ExpressionAttributeValues={":limits": stored},
    )
    if scope in {"tag", "platform"}:
        _client.update_item(
            TableName=TABLE,
            Key={"PK": {"S": keys.CATALOGUE}, "SK": {"S": keys.CATALOGUE_VERSION}},
            UpdateExpression="ADD #number :one SET kind = :kind",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues={":one": {"N": "1"}, ":kind": {"S": "catalogue_version"}},
        )


def owned_by(key_id: str, user_id: str) -> None:
    """Makes a key a user's."""
    _client.update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.key(key_id)}, "SK": {"S": keys.ENTITY}},
        UpdateExpression="SET user_id = :id, user_uid = :uid",
        ExpressionAttributeValues={":id": {"S": user_id}, ":uid": {"S": _uid("user", user_id)}},
    )


def _place(scope: Scope, scope_id: str) -> dict[str, Any]:
    match scope:
        case Scope.PLATFORM:
            return _made(keys.CATALOGUE, keys.PLATFORM_LIMITS, uid=keys.PLATFORM)
        case Scope.TAG:
            return _made(keys.CATALOGUE, keys.tag(scope_id), tag=scope_id)
        case Scope.CUSTOMER:
            return _made(keys.customer(scope_id), keys.ENTITY, customer_id=scope_id)
        case Scope.USER:
            return _made(keys.user(scope_id), keys.ENTITY, user_id=scope_id)
        case Scope.TEAM_MEMBER | Scope.ORGANIZATION_MEMBER:
            owner, _, user = scope_id.partition("~")
            kind = "team" if scope is Scope.TEAM_MEMBER else "organization"
            return _made(keys.members_of(_uid(kind, owner)), keys.member(_uid("user", user)), user_id=user)
        case _:
            (item,) = [one for one in all_items() if one["kind"] == scope and one[_IDS[scope]] == scope_id]
            return {"PK": {"S": item["PK"]}, "SK": {"S": item["SK"]}}


def _made(pk: str, sk: str, **texts: str) -> dict[str, Any]:
    """The key of an item that is there now."""
    place = {"PK": {"S": pk}, "SK": {"S": sk}}
    texts = {"uid": ids.new_ulid(), "kind": "limited", **texts}
    names = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in texts)
    _client.update_item(
        TableName=TABLE,
        Key=place,
        UpdateExpression=f"SET {names}, is_active = :yes",
        ExpressionAttributeNames={f"#{name}": name for name in texts},
        ExpressionAttributeValues={f":{name}": {"S": value} for name, value in texts.items()}
        | {":yes": {"BOOL": True}},
    )
    return place


def _uid(kind: str, external_id: str) -> str:
    wanted = _IDS[kind]
    prefix = {"organization": "ORG#", "team": "TEAM#", "user": "USER#"}[kind]
    return next(
        str(one["uid"])
        for one in all_items()
        if one.get(wanted) == external_id and one["PK"].startswith(prefix) and one["SK"] == keys.ENTITY
    )
