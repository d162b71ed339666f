"""Bodies of calls in jobs (contract 1.5). Imported with the first such call: pydantic is nothing that ``/v1`` needs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tollgate.core.errors import InvalidRequestError
from tollgate.core.fields import Metadata, RequestModel
from tollgate.jobs.model import Text

T = TypeVar("T", bound="CallInJob")
# What the contract sends where a request does not say.
_TEMPERATURE = 0.7
# Ours, and not the provider's.
_OWN = {"model_group", "purpose", "call_metadata", "team_id", "job_type", "user_id", "job_metadata", "metadata"}


class JobMessage(BaseModel):
    """Further members, such as tool calls, go to the provider as they are."""

    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None


class CallInJob(RequestModel):
    """``model`` or ``model_group`` (the same, D-11); without either the team's default model is called."""

    model: Annotated[str | None, Field(min_length=1, max_length=255)] = None
    model_group: Annotated[str | None, Field(min_length=1, max_length=255)] = None
    messages: Annotated[list[JobMessage], Field(min_length=1)]
    purpose: Annotated[str | None, Field(max_length=200)] = None
    call_metadata: Metadata | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = _TEMPERATURE
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    stop: str | list[str] | None = None
    seed: int | None = None
    user: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_model(self) -> CallInJob:
        if self.model is not None and self.model_group is not None and self.model != self.model_group:
            message = "model and model_group are the same thing: send one of them"
            raise ValueError(message)
        return self

    def outgoing(self, default_model: str | None, *, streamed: bool) -> dict[str, Any]:
        """The request as ``/v1/chat/completions`` has it. Raises InvalidRequestError if no model is to be found."""
        model = self.model or self.model_group or default_model
        if model is None:
            raise InvalidRequestError("model is required: the team has no default model", param="model")
        sent = self.model_dump(mode="json", exclude_none=True, exclude=_OWN)
        return {**sent, "model": model, "stream": streamed}


class CreateAndCall(CallInJob):
    """A job and its one call. ``metadata`` is another name of ``job_metadata`` (D-38)."""

    team_id: Annotated[str, Field(min_length=1, max_length=256)]
    job_type: Annotated[Text, Field(min_length=1, max_length=100)]
    user_id: Annotated[Text | None, Field(min_length=1, max_length=256)] = None
    job_metadata: Metadata | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _one_metadata(self) -> CreateAndCall:
        if self.metadata is not None and self.job_metadata is not None:
            message = "metadata and job_metadata are the same thing: send one of them"
            raise ValueError(message)
        return self


def read(model: type[T], raw: bytes) -> T:
    """Raises InvalidRequestError that names the first field that is wrong, and all of them beside it."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        fields = [{"field": _field(entry["loc"]), "message": entry["msg"]} for entry in error.errors()]
        first = fields[0]
        message = f"{first['field']}: {first['message']}"
        raise InvalidRequestError(message, param=first["field"], errors=fields) from None


def _field(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"
