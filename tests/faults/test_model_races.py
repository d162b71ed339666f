"""Models that are made, named and removed at the same moment, on a real engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.races import at_once, persistently
from tollgate.core.errors import AlreadyExistsError, WrongStateError
from tollgate.credentials.service import credential_service
from tollgate.litellm import models
from tollgate.litellm.errors import DialectError
from tollgate.litellm.models import DeleteModel, NewModel

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()


def new(model_id: str | None = None, **params: Any) -> Any:
    request = {"model_name": "smart", "litellm_params": {"model": "openai/gpt-4o", **params}}
    return models.new(ADMIN, NewModel.model_validate(request | {"model_info": {"id": model_id}}))


def targets() -> list[dict[str, Any]]:
    answer = call("GET", "/api/model-aliases/smart")
    return answer.body["targets"] if answer.status == 200 else []


def test_no_model_of_a_name_is_lost() -> None:
    names = [f"model-{number}" for number in range(8)]
    answers = at_once(persistently(new), names)
    # Who was told that the store did not answer, and asked again, may find his own model.
    refused = [str(answer) for answer in answers if isinstance(answer, AlreadyExistsError)]
    assert set(refused) <= {f"Model with id={name} already exists" for name in names}
    assert sorted(target["target_id"] for target in targets()) == names


def test_an_id_is_taken_once_in_the_whole_catalogue() -> None:
    def under(name: str) -> Any:
        request = {"model_name": name, "litellm_params": {"model": "openai/gpt-4o"}, "model_info": {"id": "one"}}
        return models.new(ADMIN, NewModel.model_validate(request))

    at_once(persistently(under), ["a", "b", "c", "d"])
    rows = call("GET", "/model/info").body["data"]
    assert [row["model_info"]["id"] for row in rows] == ["one"]


def test_a_credential_goes_or_is_named_but_not_both() -> None:
    for _ in range(5):
        credential_id = build.provider_credential()["credential_id"]

        def race(name: str, credential_id: str = credential_id) -> Any:
            if name == "delete":
                return credential_service().delete(ADMIN, credential_id)
            return new(litellm_credential_name="main")

        deleted, made = at_once(persistently(race), ["delete", "name"])
        if isinstance(deleted, WrongStateError):
            assert [target["credential_id"] for target in targets()] == [credential_id]
            models.delete(ADMIN, DeleteModel(id=made.model_id))  # type: ignore[union-attr]
            credential_service().delete(ADMIN, credential_id)
        else:
            assert isinstance(made, DialectError)
            assert targets() == []


def test_the_last_one_goes_while_another_comes() -> None:
    for _ in range(5):
        first = new().model_id

        def race(name: str, first: str = first) -> Any:
            return models.delete(ADMIN, DeleteModel(id=first)) if name == "delete" else new()

        _, second = at_once(persistently(race), ["delete", "new"])
        assert [target["target_id"] for target in targets()] == [second.model_id]
        models.delete(ADMIN, DeleteModel(id=second.model_id))
