"""What of MCP servers, vector stores and agents an entity may use, as LiteLLM's clients write it: kept and shown."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=100)]


class ObjectPermission(BaseModel):
    """Lists of names; what is not sent stays as it is (contract litellm 2.7). Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    mcp_servers: _Names | None = None
    mcp_access_groups: _Names | None = None
    mcp_tool_permissions: Annotated[dict[str, _Names], Field(max_length=100)] | None = None
    mcp_toolsets: _Names | None = None
    vector_stores: _Names | None = None
    agents: _Names | None = None
    agent_access_groups: _Names | None = None
    models: _Names | None = None
    blocked_tools: _Names | None = None
    search_tools: _Names | None = None
    skills: _Names | None = None
    mcp_tool_search_enabled: bool | None = None

    def over(self, stored: dict[str, Any]) -> dict[str, Any]:
        """What is stored with what was sent; empty if nothing was: ``{}`` clears."""
        return stored | self.model_dump(exclude_unset=True) if self.model_fields_set else {}
