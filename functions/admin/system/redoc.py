"""GET /redoc: every operation on one page to read, made in the browser from /openapi.json. Open to everyone."""

from aws_lambda_powertools.event_handler import Response

from tollgate.http.api import admin_api
from tollgate.http.pages import page

app = admin_api(None)

# Text nodes only: nothing of the document is ever read as HTML.
_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Tollgate API reference</title>
<style>
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
code, pre { font-family: monospace; background: #f4f4f4 }
pre { padding: .5rem; overflow: auto }
summary { cursor: pointer }
</style>
</head>
<body>
<h1>Tollgate API reference</h1>
<main>Loading</main>
<script>
const make = (tag, text, ...children) => {
  const element = document.createElement(tag)
  if (text) element.textContent = text
  element.append(...children)
  return element
}
const shown = (title, value) => make("section", "", make("h4", title), make("pre", JSON.stringify(value, null, 2)))
const resolved = (spec, schema) =>
  schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((node, name) => node[name], spec) : schema
const schemaOf = (spec, holder) => resolved(spec, Object.values(holder?.content ?? {})[0]?.schema)
const operation = (spec, method, path, own) => {
  const title = make("code", `${method.toUpperCase()} ${path}`)
  const box = make("details", "", make("summary", "", title, " ", own.summary ?? ""))
  if (own.description) box.append(make("p", own.description))
  if (own.parameters) box.append(shown("Parameters", own.parameters))
  if (own.requestBody) box.append(shown("Request", schemaOf(spec, own.requestBody)))
  for (const [status, answer] of Object.entries(own.responses ?? {}))
    if (status < 400) box.append(shown(`Answer ${status}`, schemaOf(spec, answer) ?? answer.description))
  return box
}
const render = spec => {
  const main = document.querySelector("main")
  main.replaceChildren(make("p", spec.info.description))
  for (const { name } of spec.tags) {
    main.append(make("h2", name))
    for (const [path, item] of Object.entries(spec.paths))
      for (const [method, own] of Object.entries(item))
        if (own.tags?.includes(name)) main.append(operation(spec, method, path, own))
  }
}
fetch("openapi.json").then(answer => answer.json()).then(render)
</script>
</body>
</html>"""


@app.get("/redoc", include_in_schema=False)
def redoc() -> Response[str]:
    return page(_HTML)


handler = app.resolve
