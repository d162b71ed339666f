"""GET /test: the route that was asked for. Open to everyone, reads nothing."""

from tollgate.litellm.api import litellm_api

app = litellm_api(None)


@app.get("/test", summary="Test", tags=["LiteLLM: health"])
def test() -> dict[str, str]:
    return {"route": app.current_event.path}


handler = app.resolve
