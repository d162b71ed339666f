"""Where usage is counted: the buckets that a call or a job belongs to, and the queries that sum what was spent. Pure.

The hot path, the stream consumer and the rebuild share it, so it imports neither pydantic nor PynamoDB. A bucket is one
scope (an owner, key, user, customer, tag or project) on one day for one owner, model, provider and job type. The owner
is whom a call's record lies under: its team, else its organization, else the platform. Months are sums of days. What an
organization or the platform used is the sum of its owners' buckets, found by an index. What is said of a job as a whole
stands in a bucket of its type without model and provider.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tollgate.core.money import ZERO
from tollgate.limits.model import Scope
from tollgate.table import keys
from tollgate.usage.figures import ATTRIBUTES, Image, number, text

BUCKET_KIND = "usage"
# Of one call: all its buckets have to fit one transaction.
MOST_TAGS = 50
# Which attribute of a call's record names what a scope is asked for by (tags: a list).
_OF_RECORD = {
    keys.USAGE_KEY: "key_id",
    keys.USAGE_USER: "user_id",
    keys.USAGE_CUSTOMER: "customer_id",
    keys.USAGE_PROJECT: "project_id",
}
# Where a scope's buckets lie that are found by its id alone.
_PARTITIONS = {
    Scope.TEAM: keys.USAGE_OWNER,
    Scope.KEY: keys.USAGE_KEY,
    Scope.USER: keys.USAGE_USER,
    Scope.TEAM_MEMBER: keys.USAGE_USER,
    Scope.ORGANIZATION_MEMBER: keys.USAGE_USER,
    Scope.CUSTOMER: keys.USAGE_CUSTOMER,
    Scope.TAG: keys.USAGE_TAG,
}
# What tells a member's buckets from those that the user has elsewhere.
WITHIN = {Scope.TEAM_MEMBER: "owner_uid", Scope.ORGANIZATION_MEMBER: "organization_uid"}


@dataclass(frozen=True, slots=True)
class Dimensions:
    """By what a bucket is told apart within its scope and day; ``job_type`` None: calls outside jobs.

    ``model`` and ``provider`` are empty in the buckets of jobs themselves.
    """

    model: str
    provider: str
    job_type: str | None = None

    @property
    def digest(self) -> str:
        """The dimensions in a sort key: 16 characters, whatever the names are."""
        names = "\0".join((self.model, self.provider, self.job_type or ""))
        return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket by its key. ``texts`` stand in it beside the figures; the same key always means the same ones."""

    pk: str
    sk: str
    texts: dict[str, str] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a call's record lies under."""

    uid: str
    team_id: str | None = None
    organization_id: str | None = None
    organization_uid: str | None = None


def owner_of(call: Image) -> Owner:
    """The owner of a call's record: its team, else its organization, else the platform."""
    organization_uid = text(call, "organization_uid")
    uid = text(call, "team_uid") or organization_uid or keys.PLATFORM
    return Owner(uid, text(call, "team_id"), text(call, "organization_id"), organization_uid)


def day_of(call: Image) -> str:
    """The day of a call, ``YYYY-MM-DD``: that of its start, in UTC."""
    return (text(call, "started_at") or "")[:10]


def dimensions_of(call: Image) -> Dimensions:
    """What the record says, ``unknown`` where it does not: a call that died was maybe never sent to a provider."""
    model, provider = text(call, "requested_model"), text(call, "provider")
    return Dimensions(model or "unknown", provider or "unknown", text(call, "job_type"))


def buckets_of(call: Image, dimensions: Dimensions) -> Iterator[Bucket]:
    """Every bucket that a call belongs to: its owner's day and hour, and the day of whatever else it names."""
    owner, day = owner_of(call), day_of(call)
    yield _owner_day(owner, day, dimensions)
    yield _owner_hour(owner, (text(call, "started_at") or "")[:13])
    for scope, attribute in _OF_RECORD.items():
        name = text(call, attribute)
        if name is not None:
            yield _scope_day(scope, name, owner, day, dimensions)
    tags = call["tags"]["L"] if "tags" in call else ()
    for tag in sorted({tag["S"] for tag in tags})[:MOST_TAGS]:
        yield _scope_day(keys.USAGE_TAG, tag, owner, day, dimensions)


def day_of_job(job: Image) -> str:
    """The day of a job, ``YYYY-MM-DD``: that of its creation, in UTC (D-26)."""
    return (text(job, "created_at") or "")[:10]


def dimensions_of_job(job: Image) -> Dimensions:
    return Dimensions("", "", text(job, "job_type") or "unknown")


def buckets_of_job(job: Image, dimensions: Dimensions) -> Iterator[Bucket]:
    """Every bucket that a job belongs to: its owner's day and hour, and the day of the key that made it.

    Not its user: that is a name that the client gives.
    """
    owner, day = owner_of(job), day_of_job(job)
    yield _owner_day(owner, day, dimensions)
    yield _owner_hour(owner, (text(job, "created_at") or "")[:13])
    key_id = text(job, "key_id")
    if key_id is not None:
        yield _scope_day(keys.USAGE_KEY, key_id, owner, day, dimensions)


def total_of(owner: Owner) -> Bucket:
    """What an owner's jobs come to since it exists."""
    return Bucket(keys.usage_of(keys.USAGE_OWNER, owner.uid), keys.USAGE_TOTAL, _owned(owner))


def _owner_day(owner: Owner, day: str, dimensions: Dimensions) -> Bucket:
    sk = keys.usage_day(day, owner.uid, dimensions.digest)
    texts = {"day": day, **_named(dimensions), **_owned(owner), **_listed(owner, sk)}
    return Bucket(keys.usage_of(keys.USAGE_OWNER, owner.uid), sk, texts)


def _owner_hour(owner: Owner, hour: str) -> Bucket:
    sk = keys.usage_hour(hour, owner.uid)
    texts = {"hour": hour, **_owned(owner)}
    if owner.organization_uid is not None:
        texts |= {"GSI1PK": keys.usage_in(owner.organization_uid), "GSI1SK": sk}
    return Bucket(keys.usage_of(keys.USAGE_OWNER, owner.uid), sk, texts)


def _scope_day(scope: str, name: str, owner: Owner, day: str, dimensions: Dimensions) -> Bucket:
    texts = {"day": day, **_named(dimensions), **_owned(owner)}
    sk = keys.usage_day(day, owner.uid, dimensions.digest)
    return Bucket(keys.usage_of(scope, name), sk, texts)


def _named(dimensions: Dimensions) -> dict[str, str]:
    named = {"model": dimensions.model, "provider": dimensions.provider, "job_type": dimensions.job_type}
    return {name: value for name, value in named.items() if value}


def _owned(owner: Owner) -> dict[str, str]:
    known = {
        "owner_uid": owner.uid,
        "team_id": owner.team_id,
        "organization_id": owner.organization_id,
        "organization_uid": owner.organization_uid,
    }
    return {name: value for name, value in known.items() if value is not None}


def _listed(owner: Owner, sk: str) -> dict[str, str]:
    """Where the sums over owners find a bucket: all of an organization's together, the platform's in slices."""
    listed = {"GSI2PK": keys.usage_slice(slice_of(owner.uid)), "GSI2SK": sk}
    if owner.organization_uid is not None:
        listed |= {"GSI1PK": keys.usage_in(owner.organization_uid), "GSI1SK": sk}
    return listed


def slice_of(owner_uid: str) -> int:
    """The slice of the platform's index that an owner's buckets are in, always the same."""
    return zlib.crc32(owner_uid.encode()) % keys.USAGE_SLICES


def spend_queries(  # noqa: PLR0913, PLR0917 (what is asked for, in its parts)
    table_name: str, scope: Scope, scope_id: str, first_day: date, last_day: date, within: str | None = None
) -> list[dict[str, Any]]:
    """``Query`` payloads whose items ``sum_spend`` sums: what a scope spent on the days, both inclusive.

    ``scope_id`` is what call records name: the uid of a team or an organization, else ``key_id``, ``user_id``,
    ``customer_id`` or the tag; for the platform it is not looked at. For a member it is the ``user_id``, and ``within``
    the uid of the team or the organization. Every page of each query counts. Read strongly consistent where no index is
    asked; either way what is found is as old as the stream's consumer is late (Q-47).
    """
    queries = [
        _query(table_name, partition, first_day, last_day, index) for partition, index in places_of(scope, scope_id)
    ]
    if scope in WITHIN:
        for query in queries:
            query["FilterExpression"] = "#within = :within"
            query["ExpressionAttributeNames"] |= {"#within": WITHIN[scope]}
            query["ExpressionAttributeValues"] |= {":within": {"S": within or ""}}
    return queries


def places_of(scope: Scope, scope_id: str) -> list[tuple[str, str | None]]:
    """The partitions that a scope's buckets lie in, each with its index; None: the table itself."""
    if scope is Scope.PLATFORM:
        return [(keys.usage_slice(number), "GSI2") for number in range(keys.USAGE_SLICES)]
    if scope is Scope.ORGANIZATION:
        return [(keys.usage_in(scope_id), "GSI1")]
    return [(keys.usage_of(_PARTITIONS[scope], scope_id), None)]


def _query(
    table_name: str, partition: str, first_day: date, last_day: date, index: str | None = None
) -> dict[str, Any]:
    prefix = index or ""
    query: dict[str, Any] = {
        "TableName": table_name,
        "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :first AND :last",
        "ProjectionExpression": "#us, #model",
        "ExpressionAttributeNames": {
            "#pk": f"{prefix}PK",
            "#sk": f"{prefix}SK",
            "#us": ATTRIBUTES["cost_usd"],
            "#model": "model",
        },
        "ExpressionAttributeValues": {
            ":pk": {"S": partition},
            ":first": {"S": keys.usage_day(first_day.isoformat())},
            ":last": {"S": keys.usage_days_end(last_day.isoformat())},
        },
    }
    return query | ({"IndexName": index} if index else {"ConsistentRead": True})


def sum_spend(items: Iterable[Image], model: str | None = None) -> Decimal:
    """Client cost in USD of the buckets found; of one alias if ``model`` is given."""
    wanted = (item for item in items if model is None or text(item, "model") == model)
    return sum((number(item, ATTRIBUTES["cost_usd"]) for item in wanted), ZERO)
