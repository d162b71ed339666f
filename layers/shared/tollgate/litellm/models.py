"""Models in the dialect: each is a target of an alias (contract litellm 1.9, Q-24). They are the platform's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tollgate.auth.principal import Principal
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.credentials import repository as credentials
from tollgate.credentials.model import Credential
from tollgate.litellm.errors import DialectError, Shape
from tollgate.litellm.fields import DialectRequest, DialectRow
from tollgate.litellm.models_params import (
    PRICES,
    Info,
    ModelId,
    ModelName,
    Params,
    alias_settings,
    kept,
    refused,
    target_settings,
)
from tollgate.litellm.models_rows import StoredModel, stored_row
from tollgate.models import answers
from tollgate.models.deployments import Change, Deployment, deployment_service
from tollgate.models.prices import Provider
from tollgate.table.transactions import Work

# A name that is no secret, but says where the process would find one.
_ENVIRONMENT = "os.environ/"


class NewModel(DialectRequest):
    """A model; with a name that there is already, one more that calls of that name are shared with."""

    model_name: ModelName
    litellm_params: Params
    model_info: Info | None = None
    blocked: bool = False


class PatchModel(DialectRequest):
    """Only what is sent changes, in ``litellm_params`` and ``model_info``, too; null clears."""

    model_name: ModelName | None = None
    litellm_params: Params = Params()
    model_info: Info | None = None
    blocked: bool | None = None


class UpdateModel(PatchModel):
    """The same; ``model_info.id`` says of which, or ``id``: so LiteLLM's own client does."""

    id: ModelId | None = None


class DeleteModel(DialectRequest):
    id: ModelId


class ModelDeleted(DialectRow):
    message: str


def new(caller: Principal, request: NewModel) -> StoredModel:
    """A model that the very next call can use."""
    params, info = request.litellm_params, request.model_info or Info()
    if not params.model:
        raise refused("litellm_params.model", "is required")
    change = _change(params, info, None, request.blocked)
    made = _in_our_words(lambda: deployment_service().add(caller, request.model_name, info.id, change))
    return stored_row(made, names_of([made]))


def patch(caller: Principal, model_id: str, request: PatchModel) -> StoredModel:
    """Changes one by its id."""
    info = request.model_info or Info()
    if info.id not in {None, model_id}:
        raise refused("model_info.id", "cannot be changed")

    def wanted(current: Deployment) -> Change:
        if request.model_name not in {None, current.model.alias}:
            raise refused("model_name", "cannot be changed: add the model under the other name and delete this one")
        return _change(request.litellm_params, info, current, request.blocked)

    try:
        changed = _in_our_words(lambda: deployment_service().change(caller, model_id, wanted))
    except NotFoundError:
        message = f"Model {model_id} not found on proxy."
        raise DialectError(404, message, kind="not_found_error", shape=Shape.INTERNAL) from None
    return stored_row(changed, names_of([changed]))


def update(caller: Principal, request: UpdateModel) -> StoredModel:
    """Changes the one that ``model_info.id`` names, else ``id``."""
    model_id = (request.model_info.id if request.model_info else None) or request.id
    if model_id is None:
        what = "model_info" if request.model_info is None else "model_info.id"
        raise DialectError(400, f"Authentication Error, {what} not provided", param="model_info.id")
    return patch(caller, model_id, request)


def delete(caller: Principal, request: DeleteModel) -> ModelDeleted:
    """Removes one; the name goes with its last model, out of every team and group, too."""
    try:
        deployment_service().remove(caller, request.id)
    except NotFoundError:
        raise DialectError(400, f"Model with id={request.id} not found in db", quoted=True) from None
    return ModelDeleted(message=f"Model: {request.id} deleted successfully")


def names_of(deployments: Iterable[Deployment]) -> dict[str, str]:
    """The names of the credentials that targets name, by id."""
    wanted = {one.target.credential_id for one in deployments if one.target.credential_id}
    found = (credentials.find(credential_id) for credential_id in sorted(wanted))
    return {one.credential_id: one.credential_name for one in found if one is not None}


def _change(params: Params, info: Info, current: Deployment | None, blocked: bool | None) -> Change:  # noqa: FBT001
    """What a request wants of a target, whose rules are checked by the names that the client knows."""
    target = current.target if current else None
    settings = target_settings(params, _without_echo(info, current), target)
    secrets, credential = _secrets(params, settings, current)
    settings |= secrets
    if blocked is not None:
        settings["is_active"] = not blocked
    _check_address(settings, current)
    alias = alias_settings(params, info)
    before: Mapping[str, Any] = current.params if current else {}
    groups = info.access_groups or [] if "access_groups" in info.model_fields_set else None
    return Change(settings, alias, groups, kept(params, info, before), _with(credential) if credential else None)


def _without_echo(info: Info, current: Deployment | None) -> Info:
    """Without prices that only come back as they were shown: the catalogue's are not set by that."""
    if current is None:
        return info
    price = answers.price_of(current.target)
    costs = {"pricing_input": price.input, "pricing_output": price.output, "pricing_cached_input": price.cached_input}
    echoed = {name for name, own in PRICES.items() if getattr(info, name) == costs[own]}
    return Info.model_validate(info.model_dump(exclude_unset=True, exclude=echoed))


def _secrets(
    params: Params, settings: Mapping[str, Any], current: Deployment | None
) -> tuple[dict[str, Any], Credential | None]:
    """The fields of the target about its secret; of a secret and a named credential the one that is sent counts."""
    target = current.target if current else None
    provider = str(settings.get("litellm_model") or (target.litellm_model if target else "")).partition("/")[0]
    name, api_key = params.litellm_credential_name, params.api_key
    if name and api_key:
        raise refused("litellm_params.api_key", "cannot be sent with litellm_credential_name")
    if name:
        credential = _named(name, provider)
        return {"credential_id": credential.credential_id, "api_key": None}, credential
    found: dict[str, Any] = {}
    if "litellm_credential_name" in params.model_fields_set:
        found["credential_id"] = None
    if "api_key" in params.model_fields_set:
        found["api_key"] = api_key
        if api_key is not None:
            found["credential_id"] = None
            if api_key.get_secret_value().startswith(_ENVIRONMENT):
                raise refused("litellm_params.api_key", "has to be the key itself: no environment is read")
    holds = target is not None and (target.ciphertext or target.credential_id)
    if target is not None and holds and provider != target.provider and not found:
        raise refused("litellm_params.api_key", "has to be sent, too, because the provider is another one")
    return found, None


def _named(name: str, provider: str) -> Credential:
    credential = credentials.find_named(None, name)
    if credential is None:
        raise _no_credential(name)
    if credential.provider != provider:
        raise refused("litellm_params.litellm_credential_name", f"'{name}' is a credential of {credential.provider}")
    return credential


def _no_credential(name: str) -> DialectError:
    message = f"Credential '{name}' not found. Create it via /credentials before attaching it to a model."
    return DialectError(400, message, kind="validation_error", param="litellm_credential_name")


def _with(credential: Credential) -> Callable[[Work], None]:
    """The credential has to be there still when the target that names it is written."""
    return lambda work: credentials.require(work, credential, _no_credential(credential.credential_name))


def _check_address(settings: Mapping[str, Any], current: Deployment | None) -> None:
    """A secret of its own for a provider without an address of its own needs one, too."""
    base = settings.get("api_base", current.target.api_base if current else None)
    model = str(settings.get("litellm_model") or (current.target.litellm_model if current else ""))
    if settings.get("api_key") and base is None and model.partition("/")[0] in {Provider.CUSTOM, Provider.AZURE}:
        raise refused("litellm_params.api_base", "is required for this provider")


def _in_our_words(work: Callable[[], Deployment]) -> Deployment:
    """What the catalogue refuses, by the field's name in the dialect."""
    try:
        return work()
    except InvalidRequestError as error:
        names = {own: f"litellm_params.{name}" for name, own in PRICES.items()}
        field = names.get(error.param or "")
        if field is None:
            raise
        raise refused(field, error.message.partition(": ")[2]) from None
