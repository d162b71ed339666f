"""From a call to its usage: the data plane's own record, the template's stream consumer, the API's answer (Q-47)."""

from __future__ import annotations

import time
from typing import Any

from local.streams import StreamConsumer
from tests.journeys.conftest import Gateway

# Five in practice; a busy machine may take longer, and only what fails takes all of it.
FRESH_SECONDS = 60


def consumer_of(gateway: Gateway) -> StreamConsumer:
    cloud = gateway.cloud
    source = next(one for one in cloud.template.stream_sources() if one.function == "RollupFunction")
    function = cloud.gateway.functions[source.function]
    return StreamConsumer(source, function, cloud.engine, cloud.template.table()["TableName"])


def usage_of(gateway: Gateway, path: str) -> Any:
    answer = gateway("GET", f"{path}/usage?period=all")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_call_is_in_the_usage_within_seconds(gateway: Gateway) -> None:
    gateway.made("/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"})
    gateway.made("/api/model-aliases/create", PRICED)
    team = {"organization_id": "org_acme", "team_id": "acme-dev", "access_groups": ["*"], "credits_allocated": 10}
    key = gateway.made("/api/teams/create", team)["virtual_key"]
    consumer = consumer_of(gateway)
    consumer.start()
    try:
        before = time.monotonic()
        assert gateway.chat(key, "priced").status_code == 200
        while (found := usage_of(gateway, "/api/teams/acme-dev"))["summary"]["total_calls"] == 0:
            assert time.monotonic() < before + FRESH_SECONDS
            time.sleep(0.05)
    finally:
        consumer.stop()
    balance = gateway("GET", "/api/credits/balance?team_id=acme-dev").json()
    assert found["summary"]["total_tokens"] > 0
    assert found["direct_calls"]["calls"] == 1
    assert found["summary"]["credits_used"] == balance["credits_used"] > 0
    assert found["summary"]["total_cost_usd"] == found["direct_calls"]["cost_usd"] > 0
    whole = usage_of(gateway, "/api/organizations/org_acme")
    assert whole["summary"] == found["summary"]
    assert whole["by_team"]["acme-dev"]["cost_usd"] == found["summary"]["total_cost_usd"]


PRICED = {"alias": "priced", "litellm_model": "local/echo", "pricing_input": 10, "pricing_output": 50}
