"""Model aliases and the catalogue's version in the table; no module outside this package sees the items.

Every write of the catalogue raises its version in the same transaction: processes that cached the catalogue notice,
and a write that looked at several items (``expected``) is refused if any of them may have changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, TollgateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.models.items import CatalogueVersionItem, ModelItem, ModelParamsItem
from tollgate.models.model import Mode, ModelAlias, Target
from tollgate.models.prices import PriceSource
from tollgate.table import keys
from tollgate.table.metadata import MetadataItem
from tollgate.table.transactions import Work

_PRICES = ("pricing_input", "pricing_output", "pricing_cached_input")


def version() -> int:
    """The catalogue's version, read strongly consistent; 0 before its first write."""
    item = CatalogueVersionItem.find(keys.CATALOGUE, keys.CATALOGUE_VERSION)
    return item.number if item else 0


def bump(work: Work, expected: int | None = None) -> None:
    """Raises the catalogue's version; with ``expected`` the transaction is a lost race unless it is that before."""
    number = CatalogueVersionItem.number
    condition = None if expected is None else number == expected if expected else number.does_not_exist()
    item = CatalogueVersionItem(PK=keys.CATALOGUE, SK=keys.CATALOGUE_VERSION)
    actions = [number.add(1), CatalogueVersionItem.kind.set("catalogue_version")]
    work.update(item, actions, condition, versioned=False)


def find(alias: str) -> ModelAlias | None:
    item = ModelItem.find(keys.CATALOGUE, keys.model(alias))
    return _model(item) if item else None


def find_all(aliases: Iterable[str]) -> dict[str, ModelAlias]:
    """Those of the named aliases that exist, by alias; strongly consistent."""
    wanted = [(keys.CATALOGUE, keys.model(alias)) for alias in set(aliases)]
    return {item.alias: _model(item) for item in ModelItem.batch_get(wanted, consistent_read=True)}


def every() -> Iterator[ModelAlias]:
    """All aliases by name; strongly consistent."""
    return map(_model, ModelItem.all_of(keys.CATALOGUE, prefix=ModelItem.SK.startswith(keys.model())))


def search(request: PageRequest, scope: str, matches: Callable[[ModelAlias], bool] | None = None) -> Page[ModelAlias]:
    """A page in order of alias (Q-28); ``scope`` names the list and its filter, which the cursor is bound to."""
    page = ModelItem.page(
        keys.CATALOGUE,
        request,
        scope=f"models|{scope}",
        prefix=ModelItem.SK.startswith(keys.model()),
        matches=(lambda item: matches(_model(item))) if matches else None,
    )
    return Page([_model(item) for item in page.entries], page.next_cursor, page.truncated)


def metadata_of(alias: str) -> dict[str, Any]:
    return MetadataItem.read(keys.model(alias))


def keep_metadata(work: Work, alias: str, metadata: dict[str, Any]) -> None:
    """Beside the catalogue, which every process reads whole."""
    work.put(MetadataItem.of(keys.model(alias), metadata))


def params_of(aliases: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is kept of the aliases' targets to be shown again, by target id; strongly consistent."""
    places = [(keys.model(alias), keys.MODEL_PARAMS) for alias in set(aliases)]
    found: dict[str, dict[str, Any]] = {}
    for item in ModelParamsItem.batch_get(places, consistent_read=True):
        found |= item.params
    return found


def keep_params(work: Work, alias: str, params: dict[str, Any]) -> None:
    """Beside the catalogue, which every process reads whole."""
    work.put(ModelParamsItem(PK=keys.model(alias), SK=keys.MODEL_PARAMS, kind="model_params", params=params))


def create(work: Work, model: ModelAlias, event: AuditEvent, otherwise: TollgateError | None = None) -> None:
    """Adds the new alias to a transaction, which has to raise the catalogue's version, too.

    If there is one of that name by then, the commit raises ``otherwise``, or AlreadyExistsError.
    """
    created_at = clock.to_stored(model.created_at)
    work.create(
        ModelItem(
            PK=keys.CATALOGUE,
            SK=keys.model(model.alias),
            kind="model",
            alias=model.alias,
            uid=model.uid,
            created_at=created_at,
            created_by=event.caller.actor,
            updated_at=created_at,
            updated_by=event.caller.actor,
            **_attributes(model),
        ),
        otherwise=otherwise or AlreadyExistsError(f"Alias already exists: '{model.alias}'", code="alias_exists"),
    )
    audit.append(work, event)


def update(work: Work, model: ModelAlias, event: AuditEvent) -> None:
    """Adds the alias as it is now; LostRaceError at commit if somebody else changed it since it was read."""
    item = _handle(model)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes(_attributes(model) | stamp))
    audit.append(work, event)


def delete(work: Work, model: ModelAlias, event: AuditEvent) -> None:
    """Adds the deletion to a transaction that also takes the alias out of its groups."""
    work.delete(_handle(model), ModelItem.PK.exists())
    work.delete(MetadataItem(PK=keys.model(model.alias), SK=keys.METADATA))
    work.delete(ModelParamsItem(PK=keys.model(model.alias), SK=keys.MODEL_PARAMS))
    audit.append(work, event)


def _handle(model: ModelAlias) -> ModelItem:
    return ModelItem(PK=keys.CATALOGUE, SK=keys.model(model.alias), version=model.version)


def _attributes(model: ModelAlias) -> dict[str, Any]:
    return {
        "display_name": model.display_name,
        "description": model.description,
        "active": model.active,
        "mode": model.mode.value,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "targets": {"targets": [_stored(target) for target in model.targets]},
    }


def _stored(target: Target) -> dict[str, Any]:
    prices = {name: None if (price := getattr(target, name)) is None else format(price, "f") for name in _PRICES}
    return asdict(target) | prices | {"price_source": target.price_source.value}


def _target(stored: dict[str, Any]) -> Target:
    prices = {name: None if stored[name] is None else Decimal(stored[name]) for name in _PRICES}
    return Target(**{**stored, **prices, "price_source": PriceSource(stored["price_source"])})


def _model(item: ModelItem) -> ModelAlias:
    return ModelAlias(
        alias=item.alias,
        uid=item.uid,
        display_name=item.display_name,
        description=item.description,
        active=item.active,
        mode=Mode(item.mode),
        context_window=item.context_window,
        max_output_tokens=item.max_output_tokens,
        targets=tuple(_target(stored) for stored in item.targets["targets"]),
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
        created_by=item.created_by,
        updated_by=item.updated_by,
    )
