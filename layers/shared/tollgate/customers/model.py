"""Customers as requests and domain objects (contract litellm 1.8, Q-53)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from tollgate.core.fields import Alias, Name
from tollgate.core.object_permissions import ObjectPermission
from tollgate.limits.fields import LIMIT_FIELDS, LimitFields
from tollgate.limits.model import NO_LIMITS, Limits

Region = Literal["eu", "us"]


@dataclass(frozen=True, slots=True)
class Customer:
    """An end user of whom something is known; the platform's, whichever tenant's calls name him (Q-53).

    ``models`` None: every model. ``region`` is the only one whose targets serve him. ``version`` None: not stored yet.
    """

    customer_id: str
    uid: str
    created_at: datetime
    updated_at: datetime
    alias: str | None = None
    blocked: bool = False
    models: tuple[str, ...] | None = None
    default_model: str | None = None
    region: str | None = None
    object_permission_id: str | None = None
    limits: Limits = NO_LIMITS
    created_by: str | None = None
    updated_by: str | None = None
    version: int | None = None

    @property
    def is_only_limited(self) -> bool:
        """Whether nothing but limits is said of him."""
        said = (self.alias, self.models, self.default_model, self.region, self.object_permission_id)
        return not self.blocked and all(value is None for value in said)


class CustomerFields(LimitFields):
    """What can be said of a customer; absent keeps, null clears, an empty list of models is every model (Q-25)."""

    alias: Name | None = None
    blocked: StrictBool | None = None
    models: Annotated[list[Alias], Field(max_length=100)] | None = None
    default_model: Alias | None = None
    allowed_model_region: Region | None = None
    object_permission: ObjectPermission | None = None

    def attributes(self) -> dict[str, Any]:
        """The fields that were sent, but for limits and object permission, as ``Customer`` has them."""
        sent = self.model_fields_set - LIMIT_FIELDS - {"object_permission"}
        return {_NAMES.get(name, name): _stored(name, getattr(self, name)) for name in sent}


_NAMES = {"allowed_model_region": "region"}


def _stored(name: str, value: Any) -> Any:
    match name:
        case "blocked":
            return bool(value)
        case "models":
            return tuple(value) if value else None
        case _:
            return value
