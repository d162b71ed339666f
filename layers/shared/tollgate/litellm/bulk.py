"""Many things of one kind in one request (contract litellm 5): each by itself, with a result of its own.

The items are worked on in their order, each by the use case and with the rights of the single endpoint. What fails does
so alone. A request ends in time: what it did not get to says so, and can be sent again. So can a whole request that was
cut off: what is done already is refused as it would be one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from tollgate.auth.principal import Principal
from tollgate.core.errors import TollgateError
from tollgate.core.json import dumps
from tollgate.litellm import errors
from tollgate.litellm.errors import DialectError, Shape
from tollgate.litellm.fields import DialectRequest, DialectRow
from tollgate.table import demands
from tollgate.telemetry import Event, count, logger

MOST_AT_ONCE = 500
# A request has to be answered in 29 s, and its last item takes its time, too.
SECONDS = 22.0
# A function's answer may have 6 MB, and its quotation marks are escaped. Results beyond this are left out.
_MOST_BYTES = 3_500_000

_Items = list[dict[str, Any]]
Request = TypeVar("Request", bound=BaseModel)


class BulkItems(DialectRequest):
    """1 to 500 items, each a body of the single endpoint."""

    items: Annotated[_Items, Field(examples=[[{"team_id": "acme-dev"}]])]


class BulkUsers(BulkItems):
    """``users`` is another name of the list."""

    items: Annotated[_Items, Field(validation_alias=AliasChoices("items", "users"))]


class BulkMembers(BulkItems):
    """``members`` is another name of the list."""

    items: Annotated[_Items, Field(validation_alias=AliasChoices("items", "members"))]


class BulkResult(DialectRow):
    """What became of an item: the status and the answer that it would have had alone, or why it failed.

    ``result`` is null where the whole answer would be too large with it; of a new key there is always the key.
    """

    index: int
    id: str | None
    success: bool
    error: str | None
    status: int
    result: Any


class BulkAnswer(DialectRow):
    total_requested: int
    successful: int
    failed: int
    results: list[BulkResult]


@dataclass(frozen=True, slots=True)
class Operation(Generic[Request]):
    """What is done with each item: ``run``, with the item as ``model``, after ``own`` is put into it.

    ``name`` is what answers call an item, by its fields as they were sent; ``made`` the same by its answer. ``kept``
    are the members of a result that are shown in any case.
    """

    model: type[Request]
    run: Callable[[Principal, Request], Any]
    name: Callable[[Mapping[str, Any]], str | None]
    made: Callable[[Any], str | None] | None = None
    kept: frozenset[str] = frozenset()
    seconds: float = SECONDS


def run(caller: Principal, request: BulkItems, operation: Operation[Any], **own: Any) -> BulkAnswer:
    """Does it to every item in order. Raises the contract's error for no items, and for too many."""
    if not 1 <= len(request.items) <= MOST_AT_ONCE:
        message = f"Between 1 and {MOST_AT_ONCE} items can be sent at once. Received: {len(request.items)}"
        raise DialectError(HTTPStatus.BAD_REQUEST, message, quoted=True)
    end, size = monotonic() + operation.seconds, 0
    results = []
    with demands.in_parts():
        for index, item in enumerate(request.items):
            done = _out_of_time() if monotonic() > end else _done(caller, item | own, operation)
            result = _shown(operation, done.answer, size)
            size += len(dumps(result))
            results.append(
                BulkResult(
                    index=index,
                    id=_id_of(operation, item, done),
                    success=done.error is None,
                    error=done.error,
                    status=done.status,
                    result=result,
                )
            )
    successful = sum(one.success for one in results)
    return BulkAnswer(
        total_requested=len(results), successful=successful, failed=len(results) - successful, results=results
    )


@dataclass(frozen=True, slots=True)
class _Done:
    status: int
    error: str | None = None
    answer: Any = None


def _done(caller: Principal, item: dict[str, Any], operation: Operation[Any]) -> _Done:
    try:
        wanted = operation.model.model_validate(item)
        return _Done(HTTPStatus.OK, answer=operation.run(caller, wanted))
    except ValidationError as invalid:
        return _invalid(invalid)
    except TollgateError as error:
        return _Done(errors.answer(error, Shape.DETAIL).status, error.message)
    except Exception as error:  # noqa: BLE001
        # One item that nobody foresaw must not cost the others their answers: keys are shown only once.
        logger.exception(Event.UNEXPECTED, exc_info=error)
        count("UnexpectedErrors")
        return _Done(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")


def _invalid(error: ValidationError) -> _Done:
    """What is wrong with an item's fields, as the single endpoint says it."""
    entries: list[dict[str, Any]] = [{**entry, "loc": ("item", *entry["loc"])} for entry in error.errors()]
    refused = errors.refused_value(entries)
    if refused is not None:
        return _Done(refused.status, refused.message)
    told = (f"{'.'.join(str(part) for part in entry['loc'][1:] or entry['loc'])}: {entry['msg']}" for entry in entries)
    return _Done(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(told))


def _out_of_time() -> _Done:
    return _Done(HTTPStatus.SERVICE_UNAVAILABLE, "There was no time left for this item; send it again")


def _id_of(operation: Operation[Any], item: Mapping[str, Any], done: _Done) -> str | None:
    if done.answer is not None and operation.made is not None:
        return operation.made(done.answer)
    return operation.name(item)


def _shown(operation: Operation[Any], answer: Any, size: int) -> Any:
    """The answer as JSON; of one that there is no room for, what has to be shown in any case."""
    if isinstance(answer, list):
        return [one.model_dump(mode="json") for one in answer] if size < _MOST_BYTES else None
    if not isinstance(answer, BaseModel):
        return answer
    shown = answer.model_dump(mode="json")
    if size < _MOST_BYTES:
        return shown
    return {name: shown[name] for name in sorted(operation.kept)} or None
