"""The web page: static files that the package was built with."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent.parent / "studio" / "static"
GRAPHIQL = STATIC / "graphiql.html"


def page_routes() -> list[BaseRoute]:
    """Assets, and the page itself for every other path, since it draws its own addresses (`/runs/<id>`)."""
    routes: list[BaseRoute] = []
    if (STATIC / "assets").is_dir():
        # Names of assets carry a hash of their content.
        routes.append(Mount("/assets", StaticFiles(directory=STATIC / "assets")))
    return [*routes, Route("/{path:path}", _page, methods=["GET"])]


async def _page(request: Request) -> Response:
    index = STATIC / "index.html"
    if not index.is_file():
        return PlainTextResponse(
            "This installation was built without its web pages. The API is at /graphql.", 404
        )
    name = request.path_params["path"]
    # Files beside the page, such as its icon; everything else is an address within it.
    if "/" not in name and "." in name and (STATIC / name).is_file():
        return FileResponse(STATIC / name)
    return FileResponse(index, headers={"cache-control": "no-cache"})
