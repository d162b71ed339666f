"""The base of every item that the admin plane reads and writes through PynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from tollgate.core.pagination import MAX_CANDIDATES, Page, PageRequest
from tollgate.settings import settings
from tollgate.table import cursor, demands

CONDITION_FAILED = "ConditionalCheckFailedException"
GSI1 = "GSI1"
GSI2 = "GSI2"
DUE = "DUE"
# Longest partition and sort key that DynamoDB takes, in bytes.
_MAX_PARTITION_KEY = 2048
_MAX_SORT_KEY = 1024


class _Index1(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = GSI1
        projection = AllProjection()

    GSI1PK = UnicodeAttribute(hash_key=True)
    GSI1SK = UnicodeAttribute(range_key=True)


class _Index2(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = GSI2
        projection = AllProjection()

    GSI2PK = UnicodeAttribute(hash_key=True)
    GSI2SK = UnicodeAttribute(range_key=True)


class _DueIndex(GlobalSecondaryIndex["Item"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = DUE
        projection = KeysOnlyProjection()

    DUEPK = UnicodeAttribute(hash_key=True)
    DUESK = UnicodeAttribute(range_key=True)


class Item(Model):
    """Keys and lists. Subclasses add their attributes; an item never leaves its domain's repository."""

    class Meta:
        table_name = settings().table_name
        region = settings().region
        host = settings().dynamodb_endpoint_url
        # An admin call has 29 s in all; PynamoDB's defaults wait 30 s for one answer.
        connect_timeout_seconds = 1
        read_timeout_seconds = 4
        max_retry_attempts = 3

    PK = UnicodeAttribute(hash_key=True)
    SK = UnicodeAttribute(range_key=True)
    GSI1PK = UnicodeAttribute(null=True)
    GSI1SK = UnicodeAttribute(null=True)
    GSI2PK = UnicodeAttribute(null=True)
    GSI2SK = UnicodeAttribute(null=True)
    # Only while a schedule has to look at the item.
    DUEPK = UnicodeAttribute(null=True)
    DUESK = UnicodeAttribute(null=True)
    # What the item is, for people and for stream consumers.
    kind = UnicodeAttribute()

    gsi1 = _Index1()
    gsi2 = _Index2()
    due = _DueIndex()

    @classmethod
    def find(cls, pk: str, sk: str) -> Self | None:
        """The item, read strongly consistent, or None."""
        if len(pk.encode()) > _MAX_PARTITION_KEY or len(sk.encode()) > _MAX_SORT_KEY:
            # No item can have such a key, and DynamoDB calls asking for it an error.
            return None
        try:
            found = cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None
        demanded = demands.current()
        if demanded is not None:
            demanded.saw(found)
        return found

    @classmethod
    def page(  # noqa: PLR0913
        cls,
        partition: str,
        request: PageRequest,
        *,
        scope: str,
        index: str | None = None,
        prefix: Condition | None = None,
        newest_first: bool = False,
        matches: Callable[[Self], bool] | None = None,
    ) -> Page[Self]:
        """A page of a partition of the table or of an index.

        ``scope`` binds the cursor to list and filter; ``matches`` keeps the candidates that fit a search, of which
        at most ``MAX_CANDIDATES`` are read (Q-28).
        """
        bound = f"{partition}|{scope}"
        start = cursor.decode(request.cursor, bound) if request.cursor else None
        rows = cls._rows(
            partition,
            index=index,
            prefix=prefix,
            newest_first=newest_first,
            start=start,
            batch=request.limit + request.offset + 1,
        )
        entries: list[Self] = []
        skipped = 0
        for read, row in enumerate(rows, start=1):
            if matches is None or matches(row):
                if skipped < request.offset:
                    skipped += 1
                elif len(entries) == request.limit:
                    return Page(entries, cursor.encode(_position(entries[-1], index), bound))
                else:
                    entries.append(row)
            if matches is not None and read == MAX_CANDIDATES:
                return Page(entries, cursor.encode(_position(row, index), bound), truncated=True)
        return Page(entries)

    @classmethod
    def all_of(
        cls,
        partition: str,
        *,
        index: str | None = None,
        prefix: Condition | None = None,
        newest_first: bool = False,
    ) -> Iterator[Self]:
        """Every item of a partition; strongly consistent unless an index is named."""
        return cls._rows(partition, index=index, prefix=prefix, newest_first=newest_first, start=None, batch=None)

    @classmethod
    def _rows(  # noqa: PLR0913
        cls,
        partition: str,
        *,
        index: str | None,
        prefix: Condition | None,
        newest_first: bool,
        start: dict[str, str] | None,
        batch: int | None,
    ) -> Iterator[Self]:
        yield from cls.query(
            partition,
            prefix,
            index_name=index,
            consistent_read=index is None,
            scan_index_forward=not newest_first,
            page_size=batch,
            last_evaluated_key={name: {"S": value} for name, value in start.items()} if start else None,
        )

    def unversioned(self) -> Self:
        """The item, for a write that neither depends on its version nor makes a new one.

        PynamoDB would set the version of an item that was not read to 1, whatever it is by now.
        """
        self._version_attribute_name = None
        return self

    def note(self, values: dict[str, Any], condition: Condition) -> bool:
        """Sets attributes, alone and without a new version, if the condition holds; False: it did not."""
        return self.apply(self.changes(values), condition)

    def apply(self, actions: list[Any], condition: Condition) -> bool:
        """The same with any actions."""
        try:
            self.unversioned().update(actions, condition)
        except UpdateError as error:
            if error.cause_response_code == CONDITION_FAILED:
                return False
            raise
        return True

    def changes(self, values: dict[str, Any]) -> list[Any]:
        """Update actions that set the given attributes; None removes one."""
        attributes = self.get_attributes()
        return [
            attributes[name].remove() if value is None else attributes[name].set(value)
            for name, value in values.items()
        ]


def _position(item: Item, index: str | None) -> dict[str, str]:
    """Where a list stands that has shown the item last."""
    names = ["PK", "SK", *([f"{index}PK", f"{index}SK"] if index else [])]
    return {name: getattr(item, name) for name in names}


# Subclasses find this connection by inheritance and so share one client: each would make its own otherwise.
Item._get_connection()  # noqa: SLF001 (PynamoDB has no public way to it)
