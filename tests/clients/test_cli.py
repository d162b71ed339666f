"""Every command of LiteLLM's command line that its table does not mark optional (contract litellm 6.1)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import MASTER_KEY, LiteLlm

pytestmark = pytest.mark.clients

MODEL = "local/echo"


def made(litellm: LiteLlm, alias: str, *options: str) -> str:
    """A key made by the command line."""
    return str(litellm.json("keys", "generate", "--key-alias", alias, *options)["key"])


def test_the_program_itself_tells_both_versions(url: str) -> None:
    """Everything else is run without starting Python anew for it."""
    program = Path(os.environ["TOLLGATE_CLIENTS_PYTHON"]).with_name("litellm-proxy")
    environment = os.environ | {"LITELLM_PROXY_URL": url, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    shown = subprocess.run(
        [program, "--version"], env=environment, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert re.search(r"LiteLLM Proxy CLI Version: \S+", shown)
    assert re.search(r"LiteLLM Proxy Server Version: \S+", shown)


def test_version(litellm: LiteLlm) -> None:
    assert "LiteLLM Proxy Server Version" in litellm.run("version")


def test_keys_are_made_listed_and_deleted(litellm: LiteLlm) -> None:
    key = made(litellm, "cli-one", "--models", f"{MODEL},other", "--duration", "24h", "--user-id", "cli-user")
    other = made(litellm, "cli-two", "--aliases", json.dumps({"mine": MODEL}), "--spend", "0.5")
    assert (key[:3], other[:3]) == ("sk-", "sk-")
    found = litellm.json("keys", "list", "--format", "json", "--key-alias", "cli-one")
    (row,) = found["keys"]
    assert (found["total_count"], row["key_alias"], row["user_id"]) == (1, "cli-one", "cli-user")
    assert row["models"] == [MODEL, "other"]
    table = litellm.run("keys", "list", "--size", "100")
    assert row["token"] in table
    assert "cli-two" in table
    assert litellm.json("keys", "delete", "--keys", key, "--key-aliases", "cli-two") == {
        "deleted_keys": [key, "cli-two"]
    }
    assert litellm.json("keys", "list", "--format", "json", "--key-alias", "cli-one")["keys"] == []


def test_keys_of_another_server_are_imported(litellm: LiteLlm) -> None:
    """From the same server, where every alias is taken: each key is told as one that failed."""
    made(litellm, "cli-import")
    source = ("keys", "import", "--source-base-url", litellm.url, "--source-api-key", MASTER_KEY)
    assert "cli-import" in litellm.run(*source, "--dry-run", "--created-since", "2020-01-01")
    done = litellm.run(*source)
    assert "cli-import" in done
    litellm.run("keys", "delete", "--key-aliases", "cli-import")


def test_teams_are_listed_and_a_key_is_assigned(litellm: LiteLlm) -> None:
    team = {"team_id": "cli-team", "team_alias": "From the command line", "models": [MODEL], "max_budget": 12.5}
    litellm.json("http", "request", "POST", "/team/new", "-j", json.dumps(team))
    shown = litellm.run("teams", "list")
    assert "From the command line" in shown
    assert "$12.5" in shown
    assert "No available teams" in litellm.run("teams", "available")
    key = made(litellm, "cli-assigned")
    done = litellm.run("--api-key", MASTER_KEY, "http", "request", "GET", f"/key/info?key={key}")
    assert '"team_id": null' in done
    owned = litellm.attempt("--api-key", key, "teams", "assign-key", "--team-id", "cli-team")
    # Whoever has no place in a team puts no key into it.
    assert owned["exit_code"] == 1
    litellm.call("keys.update", key=key, team_id="cli-team")
    assert litellm.call("keys.info", key=key)["info"]["team_id"] == "cli-team"


def test_users(litellm: LiteLlm) -> None:
    options = ("--email", "cli@example.com", "--alias", "Cli", "--role", "internal_user", "--max-budget", "3")
    created = litellm.json("users", "create", *options)
    user_id = created["user_id"]
    assert created["key"].startswith("sk-")
    found = litellm.json("users", "get", "--id", user_id)
    assert (found["user_id"], found["user_info"]["user_email"]) == (user_id, "cli@example.com")
    assert found["user_info"]["max_budget"] == 3
    assert "cli@example.com" in litellm.run("users", "list")
    assert litellm.run("users", "delete", user_id).endswith("1\n")
    assert "cli@example.com" not in litellm.run("users", "list")


def test_models(litellm: LiteLlm, tmp_path: Path) -> None:
    added = litellm.json(
        "models", "add", "cli-model", "-p", f"model={MODEL}", "-p", "input_cost_per_token=0.000001", "-i", "mode=chat"
    )
    model_id = added["model_id"]
    assert added["model_name"] == "cli-model"
    assert "cli-model" in litellm.run("models", "list")
    assert "cli-model" in {model["id"] for model in litellm.json("models", "list", "--format", "json")}
    assert "cli-model" in litellm.run("models", "info", "--columns", "public_model,upstream_model,id,input_cost")
    (info,) = [one for one in litellm.json("models", "info", "--format", "json") if one["model_name"] == "cli-model"]
    assert (info["model_info"]["id"], info["litellm_params"]["model"]) == (model_id, MODEL)
    assert litellm.json("models", "get", "--name", "cli-model")["model_info"]["id"] == model_id
    litellm.json("models", "update", model_id, "-p", f"model={MODEL}", "-p", "input_cost_per_token=0.000002")
    assert float(litellm.json("models", "get", "--id", model_id)["litellm_params"]["input_cost_per_token"]) == 0.000002
    litellm.json("models", "delete", model_id)
    assert "cli-model" not in litellm.run("models", "list")


def test_models_are_imported_from_a_file(litellm: LiteLlm, tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(f"model_list:\n  - model_name: cli-imported\n    litellm_params:\n      model: {MODEL}\n")
    litellm.run("models", "import", str(file))
    assert "cli-imported" in litellm.run("models", "list")


def test_model_groups(litellm: LiteLlm) -> None:
    litellm.json("models", "add", "cli-group", "-p", f"model={MODEL}")
    assert "cli-group" in litellm.run("model-groups", "list")


def test_credentials(litellm: LiteLlm) -> None:
    info, values = json.dumps({"custom_llm_provider": "openai"}), json.dumps({"api_key": "sk-provider-secret"})
    litellm.json("credentials", "create", "cli-credential", "--info", info, "--values", values)
    listed = litellm.run("credentials", "list", "--format", "json")
    assert "cli-credential" in listed
    assert "sk-provider-secret" not in listed
    assert "cli-credential" in litellm.run("credentials", "get", "cli-credential")
    litellm.run("credentials", "update", "cli-credential", "--display-name", "Of the command line")
    litellm.run("credentials", "delete", "cli-credential")
    assert "cli-credential" not in litellm.run("credentials", "list")


def test_chat(litellm: LiteLlm) -> None:
    """The conversation is an interactive one: what is typed, and the command that ends it."""
    key = litellm.json("http", "request", "POST", "/key/generate", "-j", "{}")["key"]
    shown = litellm.run("--api-key", key, "chat", MODEL, text="Hello from the command line\n/quit\n")
    assert shown.count("Hello from the command line") >= 1


def test_any_request(litellm: LiteLlm) -> None:
    found: Any = litellm.json("http", "request", "GET", "/test")
    assert found == {"route": "/test"}
    refused = litellm.attempt("http", "request", "GET", "/team/info?team_id=nobody")
    assert refused["exit_code"] == 1
    assert "HTTP 404" in refused["output"]
