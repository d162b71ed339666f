"""GET /docs: Swagger UI over /openapi.json, from the files that Powertools brings. Open to everyone."""

from functools import cache
from pathlib import Path

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi import swagger_ui

from tollgate.http.api import admin_api
from tollgate.http.pages import page

app = admin_api(None)


@app.get("/docs", include_in_schema=False)
def docs() -> Response[str]:
    return page(_html())


@cache
def _html() -> str:
    folder = Path(swagger_ui.__file__).parent
    style = (folder / "swagger-ui.min.css").read_text()
    script = (folder / "swagger-ui-bundle.min.js").read_text()
    # The address is relative: under a stage, document and page have the same prefix.
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Tollgate API</title><style>{style}</style></head>
<body>
<div id="ui">Loading</div>
<script>{script}</script>
<script>SwaggerUIBundle({{url: "openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: false}})</script>
</body>
</html>"""


handler = app.resolve
