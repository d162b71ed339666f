"""The local cloud put together: engine, table, environment and gateway of one template."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.engine import Engine, aws_environment
from local.gateway import Gateway
from local.template import Template

if TYPE_CHECKING:
    from local.settings import Settings


@dataclass(frozen=True)
class Cloud:
    """What runs: `gateway` is an ASGI app; `template` has its references resolved."""

    settings: Settings
    engine: Engine
    template: Template
    gateway: Gateway

    def reset(self) -> None:
        """An empty table, and no authorizer result remembered; for tests."""
        self.engine.recreate_table(self.template.table(), self.template.ttl_attribute())
        self.gateway.gate.forget()


def build_cloud(settings: Settings, engine: Engine) -> Cloud:
    """Wire the template to the engine: sets this process's environment and import path.

    Every function runs in this process, so they share one environment. The table is created
    unless the engine has it.
    """
    os.environ.update(aws_environment())
    template = Template.load(settings.template)
    for path in (str(settings.layer), str(settings.code)):
        if path not in sys.path:
            sys.path.insert(0, path)
    table = template.table()
    for function in template.functions().values():
        os.environ.update(function.environment)
    os.environ.update(settings.function_environment())
    os.environ.update(
        TABLE_NAME=table["TableName"],
        KMS_KEY_ID=engine.key_id,
        DYNAMODB_ENDPOINT_URL=engine.endpoint_url,
    )
    engine.ensure_table(table, template.ttl_attribute())
    return Cloud(settings, engine, template, Gateway(template, settings.code))
