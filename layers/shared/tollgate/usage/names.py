"""A bound on what callers can invent: how many models, providers and job types an owner has buckets for in a month."""

from __future__ import annotations

from dataclasses import replace

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB
from tollgate.table import keys
from tollgate.usage.layout import Dimensions

# Combinations of model, provider and job type; what comes after them is counted together.
MOST = 200
NAMES_KIND = "usage_names"
_OTHER = Dimensions("other", "other")


class Names:
    """Which dimensions have buckets of their own. Whatever was admitted, or refused, stays so for the month.

    So a rebuild finds the same buckets, and a reader of a month reads at most ``MOST`` + 3 of them a day. What was
    learnt is kept in memory, so it costs a write for each new name and process.
    """

    def __init__(self, table_name: str, most: int = MOST) -> None:
        self._table = table_name
        self._most = most
        self._known: dict[tuple[str, str], set[str]] = {}
        self._refused: set[tuple[str, str, Dimensions]] = set()

    async def admitted(self, db: DynamoDB, owner_uid: str, day: str, dimensions: Dimensions) -> Dimensions:
        """The dimensions that the call is counted by: its own, or those of all the others."""
        month = day[:7]
        if dimensions.digest in self._known.get((owner_uid, month), ()):
            return dimensions
        refused = (owner_uid, month, dimensions)
        if refused not in self._refused:
            if await self._admit(db, owner_uid, month, dimensions.digest):
                return dimensions
            self._refused.add(refused)
        own = _OTHER if dimensions.model else dimensions
        return replace(own, job_type=dimensions.job_type and _OTHER.model)

    async def _admit(self, db: DynamoDB, owner_uid: str, month: str, digest: str) -> bool:
        try:
            answer = await db.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": {
                        "PK": {"S": keys.usage_of(keys.USAGE_OWNER, owner_uid)},
                        "SK": {"S": keys.usage_names(month)},
                    },
                    "UpdateExpression": "SET kind = :kind ADD #names :own",
                    "ConditionExpression": "attribute_not_exists(#names) OR size(#names) < :most "
                    "OR contains(#names, :digest)",
                    "ExpressionAttributeNames": {"#names": "names"},
                    "ExpressionAttributeValues": {
                        ":kind": {"S": NAMES_KIND},
                        ":own": {"SS": [digest]},
                        ":digest": {"S": digest},
                        ":most": {"N": str(self._most)},
                    },
                    "ReturnValues": "ALL_NEW",
                },
            )
        except ConditionFailedError:
            return False
        self._known[owner_uid, month] = set(answer["Attributes"]["names"]["SS"])
        return True
