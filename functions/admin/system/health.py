"""GET /health: the API is there. Open to everyone, reads nothing."""

from pydantic import BaseModel

from tollgate.http.api import admin_api

app = admin_api(None)


class Health(BaseModel):
    status: str = "healthy"
    service: str = "saas-llm-api"


@app.get("/health", summary="Health", tags=["System"])
def health() -> Health:
    return Health()


handler = app.resolve
