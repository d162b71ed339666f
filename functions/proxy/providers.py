"""Where providers are and how they want their key: presets of their OpenAI-compatible endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tollgate.core.errors import ProviderAuthenticationError
from tollgate.metering.catalogue import Secret, Target

_BASES = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "alibaba": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
}
_AZURE = "https://{resource}.openai.azure.com"
_BEDROCK = "https://bedrock-runtime.{region}.amazonaws.com/openai/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address and headers of one request to a provider."""

    url: str
    headers: dict[str, str]


def endpoint(target: Target, secret: Secret, path: str) -> Endpoint:
    """Where ``path`` (``/chat/completions``) of a target is. Raises ProviderAuthenticationError if no address is known.

    The target's own ``api_base`` wins over the credential's, that one over the preset; so do its
    options over the credential's.
    """
    options = {**secret.options, **target.options}
    base = target.api_base or secret.api_base or _preset(target.provider, options)
    if base is None:
        raise ProviderAuthenticationError(f"The credential for '{target.provider}' has no api_base")
    base = base.rstrip("/")
    query = ""
    if target.provider == "azure":
        base, query = _azure(base, target, options)
    header = (
        {"api-key": secret.api_key} if target.provider == "azure" else {"authorization": f"Bearer {secret.api_key}"}
    )
    return Endpoint(f"{base}{path}{query}", {"content-type": "application/json", **header})


def _preset(provider: str, options: dict[str, Any]) -> str | None:
    if provider == "bedrock":
        return _BEDROCK.format(region=options.get("region", "us-east-1"))
    if provider == "azure" and "resource" in options:
        return _AZURE.format(resource=options["resource"])
    return _BASES.get(provider)


def _azure(base: str, target: Target, options: dict[str, Any]) -> tuple[str, str]:
    """Azure's v1 endpoint, or the older one by deployment where an ``api_version`` is given."""
    version = options.get("api_version")
    if version:
        deployment = options.get("deployment") or target.upstream_model
        return f"{base}/openai/deployments/{deployment}", f"?api-version={version}"
    return (base if base.endswith("/v1") else f"{base}/openai/v1"), ""
