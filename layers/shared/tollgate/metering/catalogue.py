"""Aliases, groups, prices and provider secrets, cached in the process under the catalogue's version.

Every admin write of them raises the version in its own transaction, and every call reads the version, so a process
never answers from an older catalogue than the one that stood when the call came in (design section 3).
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from dataclasses import dataclass, field
from typing import Any

from tollgate.aws import kms
from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.core.errors import ProviderAuthenticationError
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.prices import TargetPrice, resolve
from tollgate.settings import Settings
from tollgate.table import keys

ECHO = "local/echo"
ECHO_CONTEXT_WINDOW = 131_072
# Whose secrets are kept that are no owner's active ones: no uid is such a word.
_TARGET, _CREDENTIAL = "target", "credential"


@dataclass(frozen=True, slots=True)
class Target:
    """One place where an alias is served. Lower priority is tried first; equal ones are drawn by weight."""

    target_id: str
    litellm_model: str
    priority: int
    weight: int
    price: TargetPrice
    api_base: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    # Where the provider works on it, where that is known.
    region: str | None = None
    # By whose price it counts; empty: its own name.
    base_model: str = ""
    # What opens the provider instead of the platform's active credential: another one, or a sealed secret of its own.
    credential_id: str | None = None
    ciphertext: str | None = field(default=None, repr=False)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        return self.litellm_model.partition("/")[0]

    @property
    def upstream_model(self) -> str:
        return self.litellm_model.partition("/")[2]

    def current_price(self) -> TargetPrice:
        """The price now; only a price that depends on the clock is resolved again (Q-60: fixed at admission)."""
        return resolve(self.base_model or self.litellm_model, self.overrides) if self.price.changes else self.price


@dataclass(frozen=True, slots=True)
class Model:
    """An alias that can be called. Limits are tokens; None where nobody knows them."""

    alias: str
    targets: tuple[Target, ...]
    context_window: int | None = None
    max_output_tokens: int | None = None
    created_at: str | None = None
    embeds: bool = False

    def in_order(self) -> list[Target]:
        """The targets in the order in which they are to be tried."""
        return sorted(self.targets, key=lambda target: (target.priority, -(random.random() ** (1 / target.weight))))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a provider: its key, its address if not the usual one, and whose it is."""

    api_key: str = field(repr=False)
    source: str
    api_base: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Catalogue:
    """One version of the catalogue; secrets are fetched when first needed and forgotten with it.

    ``closed`` says of aliases that are there, but not to be called, why they are not.
    """

    version: int
    models: dict[str, Model]
    groups: dict[str, tuple[str, ...]]
    closed: dict[str, str] = field(default_factory=dict)
    # The platform's limits, and the tags that have some, as raw items: they count for any call.
    platform_limits: Item | None = None
    tags: dict[str, Item] = field(default_factory=dict)
    secrets: dict[tuple[str | None, str], Secret | None] = field(default_factory=dict, repr=False)


class CatalogueCache:
    """Gives the catalogue of a version, loading it at most once at a time."""

    def __init__(self, db: DynamoDB, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._current: Catalogue | None = None
        self._loading = asyncio.Lock()
        self._priced_at_zero: set[str] = set()

    async def at(self, version: int) -> Catalogue:
        """The catalogue as of ``version`` or later."""
        current = self._current
        if current is not None and current.version >= version:
            return current
        async with self._loading:
            if self._current is None or self._current.version < version:
                self._current = await self._load(version)
            return self._current

    def find(self, catalogue: Catalogue, alias: str) -> Model | None:
        """The model of that name, the development upstream's included; None if there is none."""
        model = catalogue.models.get(alias)
        if model is None and alias not in catalogue.closed and self._settings.upstream_base_url:
            model = self._passed_through(alias)
            catalogue.models[alias] = model
        return model

    async def secret(self, catalogue: Catalogue, target: Target, organization_uid: str | None) -> Secret:
        """The organization's active credential for the target's provider, else the platform's for the target (Q-42).

        Raises ProviderAuthenticationError when there is none.
        """
        secret = await self._owned(catalogue, organization_uid, target.provider) if organization_uid else None
        secret = secret or await self._platforms(catalogue, target)
        if secret is not None:
            return secret
        if self._settings.upstream_base_url and target.credential_id is None:
            key = self._settings.upstream_api_key or "none"
            return Secret(key, "platform", self._settings.upstream_base_url)
        raise ProviderAuthenticationError(f"No provider credential is active for '{target.provider}'")

    async def _platforms(self, catalogue: Catalogue, target: Target) -> Secret | None:
        """The target's own or the one that it names; only a target that says nothing gets the active one."""
        if target.ciphertext is not None:
            place = (_TARGET, target.target_id)
            if place not in catalogue.secrets:
                sealed = base64.b64decode(target.ciphertext)
                api_key = await _opened(sealed, None, target.target_id)
                catalogue.secrets[place] = Secret(api_key, "platform")
            return catalogue.secrets[place]
        if target.credential_id is not None:
            place = (_CREDENTIAL, target.credential_id)
            if place not in catalogue.secrets:
                catalogue.secrets[place] = await self._read_credential(target.credential_id, None)
            return catalogue.secrets[place]
        return await self._owned(catalogue, None, target.provider)

    async def _owned(self, catalogue: Catalogue, owner: str | None, provider: str) -> Secret | None:
        place = (owner, provider)
        if place not in catalogue.secrets:
            catalogue.secrets[place] = await self._read_secret(owner, provider)
        return catalogue.secrets[place]

    async def _read_secret(self, owner: str | None, provider: str) -> Secret | None:
        table = self._settings.table_name
        pointer_key = (keys.credentials_of(owner), keys.active_credential(provider))
        pointer = (await self._db.batch_get(table, [pointer_key])).get(pointer_key)
        if pointer is None:
            return None
        return await self._read_credential(pointer["credential_id"]["S"], owner)

    async def _read_credential(self, credential_id: str, owner: str | None) -> Secret | None:
        place = (keys.credential(credential_id), keys.ENTITY)
        item = (await self._db.batch_get(self._settings.table_name, [place])).get(place)
        if item is None:
            return None
        api_key = await _opened(base64.b64decode(item["ciphertext"]["B"]), owner, item["credential_id"]["S"])
        return Secret(
            api_key,
            "organization" if owner else "platform",
            item["api_base"]["S"] if "api_base" in item else None,
            json.loads(item["options"]["S"]) if "options" in item else {},
        )

    async def _load(self, version: int) -> Catalogue:
        """What is read now is at least as new as ``version``, which was read before, and may be a mix of that and a
        write that goes on: so it counts as ``version``, never as the number that is read along.
        """
        items = await self._db.query(
            {
                "TableName": self._settings.table_name,
                "KeyConditionExpression": "PK = :catalogue",
                "ExpressionAttributeValues": {":catalogue": {"S": keys.CATALOGUE}},
                "ConsistentRead": True,
            }
        )
        models = {ECHO: _echo()}
        groups = {name: group.model_aliases for name, group in BUILTIN_GROUPS.items()}
        closed, tags = {}, {}
        platform_limits = None
        for item in items:
            sort_key = item["SK"]["S"]
            if sort_key.startswith(keys.model()):
                model = _model(item)
                reason = _closed(item, model)
                if reason:
                    closed[model.alias] = reason
                else:
                    models[model.alias] = model
            elif sort_key.startswith(keys.access_group()) and not item["builtin"]["BOOL"]:
                groups[item["group_name"]["S"]] = tuple(entry["S"] for entry in item["model_aliases"]["L"])
            elif sort_key.startswith(keys.tag()):
                tags[item["tag"]["S"]] = item
            elif sort_key == keys.PLATFORM_LIMITS:
                platform_limits = item
        return Catalogue(version, models, groups, closed, platform_limits, tags)

    def _passed_through(self, alias: str) -> Model:
        """Any name goes to the development upstream as it is; unknown to the price catalogue it costs an explicit 0."""
        price = resolve(f"custom/{alias}", {})
        if price.version == "none" and alias not in self._priced_at_zero:
            self._priced_at_zero.add(alias)
            print(f"tollgate: no price is known for model {alias!r}; it costs 0 here", flush=True)  # noqa: T201
        target = Target(f"upstream:{alias}", f"custom/{alias}", 0, 1, price)
        return Model(alias, (target,), price.context_window, price.max_output_tokens)


async def _opened(ciphertext: bytes, owner: str | None, sealed_for: str) -> str:
    """A secret that was sealed for a credential or a target of an owner; None is the platform."""
    return await asyncio.to_thread(kms.decrypt, ciphertext, owner_uid=owner or keys.PLATFORM, credential_id=sealed_for)


def _echo() -> Model:
    target = Target("local-echo", ECHO, 0, 1, resolve(ECHO, {}))
    return Model(ECHO, (target,), ECHO_CONTEXT_WINDOW)


def _closed(item: Item, model: Model) -> str | None:
    """Why an alias is not to be called, in the words of the contract's section 4."""
    if not item["active"]["BOOL"]:
        return f"Model group '{model.alias}' not found or inactive"
    return None if model.targets else f"No active models configured for group '{model.alias}'"


def _model(item: Item) -> Model:
    stored = json.loads(item["targets"]["S"])["targets"]
    targets = tuple(_target(target) for target in stored if target.get("is_active", True))
    windows = [target.price.context_window for target in targets if target.price.context_window]
    limits = [target.price.max_output_tokens for target in targets if target.price.max_output_tokens]
    own_window, own_limit = item.get("context_window"), item.get("max_output_tokens")
    return Model(
        alias=item["alias"]["S"],
        targets=targets,
        # Bounds must hold for every target that may be tried.
        context_window=int(own_window["N"]) if own_window else max(windows, default=None),
        max_output_tokens=int(own_limit["N"]) if own_limit else max(limits, default=None),
        created_at=item["created_at"]["S"],
        embeds=item["mode"]["S"] == "embedding",
    )


def _target(stored: dict[str, Any]) -> Target:
    overrides = {name: stored.get(name) for name in ("pricing_input", "pricing_output", "pricing_cached_input")}
    return Target(
        target_id=stored["target_id"],
        litellm_model=stored["litellm_model"],
        priority=int(stored.get("priority", 0)),
        weight=max(1, int(stored.get("weight", 1))),
        price=resolve(stored.get("base_model") or stored["litellm_model"], overrides),
        api_base=stored.get("api_base"),
        overrides=overrides,
        region=stored.get("region"),
        base_model=stored.get("base_model") or "",
        credential_id=stored.get("credential_id"),
        ciphertext=stored.get("ciphertext"),
        options=stored.get("options") or {},
    )
