"""The interactive page of the API at /swagger/. All its files come from the service itself."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<link rel="icon" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
"""
# Without validatorUrl: null the page asks a service in the internet what it thinks of the description.
START = """SwaggerUIBundle({
  url: new URL("../openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
PACKAGED = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


def router(title: str) -> APIRouter:
    """Make the routes of the page and its files."""
    content_of_page = PAGE % escape(title)
    folder = files("fastapi_swagger") / "resources"
    assets = {name: (folder.joinpath(name).read_bytes(), media_type) for name, media_type in PACKAGED.items()}
    assets["start.js"] = (START.encode(), "text/javascript")
    routes = APIRouter(include_in_schema=False)

    @routes.get("/swagger")
    async def redirect() -> Response:
        # Relative, so that it holds behind a proxy's prefix.
        return RedirectResponse("swagger/")

    @routes.get("/swagger/")
    async def page() -> Response:
        return Response(content_of_page, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    for name, (content, media_type) in assets.items():
        routes.add_api_route(f"/swagger/{name}", _serve(content, media_type))
    return routes


def _serve(content: bytes, media_type: str):  # type: ignore[no-untyped-def]
    async def asset() -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    return asset
