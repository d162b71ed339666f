"""Object permissions as rows (contract litellm 2.7)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tollgate.litellm.fields import DialectRow


class ObjectPermissionRow(DialectRow):
    object_permission_id: str
    mcp_servers: list[str] = Field(default_factory=list)
    mcp_access_groups: list[str] = Field(default_factory=list)
    mcp_tool_permissions: dict[str, list[str]] | None = None
    mcp_toolsets: list[str] | None = None
    vector_stores: list[str] = Field(default_factory=list)
    agents: list[str] = Field(default_factory=list)
    agent_access_groups: list[str] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    blocked_tools: list[str] = Field(default_factory=list)
    search_tools: list[str] = Field(default_factory=list)
    skills: list[str] = Field(default_factory=list)
    mcp_tool_search_enabled: bool | None = None


def row_of(object_permission_id: str, stored: dict[str, Any]) -> ObjectPermissionRow:
    known = {name: value for name, value in stored.items() if value is not None}
    return ObjectPermissionRow(object_permission_id=object_permission_id, **known)
