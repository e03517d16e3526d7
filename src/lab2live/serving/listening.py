"""The service: a bundle behind HTTP, for programs, and the pages on which people ask it and decide in its place.

Nothing is loaded from elsewhere, and the headers of every answer forbid a browser to do so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import lab2live
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.serving import endpoints
from lab2live.serving.guard import Guard, own_names
from lab2live.serving.service import Service, Settings

# Path -> file of the package and its type.
PAGES = {
    "/": ("serving/ask/ask.html", "text/html; charset=utf-8"),
    "/ask.css": ("serving/ask/ask.css", "text/css; charset=utf-8"),
    "/ask.js": ("serving/ask/ask.js", "text/javascript; charset=utf-8"),
    "/review": ("serving/ask/review.html", "text/html; charset=utf-8"),
    "/call.js": ("serving/ask/call.js", "text/javascript; charset=utf-8"),
    "/review.js": ("serving/ask/review.js", "text/javascript; charset=utf-8"),
    "/page.css": ("reporting/page.css", "text/css; charset=utf-8"),
}
KEY = "LAB2LIVE_API_KEY"
# The names by which a service may be called that listens to others too, such as in a container; empty for any.
HOSTS = "LAB2LIVE_HOSTS"


def app(folder: Path, settings: Settings | None = None) -> tuple[ASGIApp, Service]:
    """Make the service of a bundle: the application, and what answers in it.

    Parameters
    ----------
    folder
        The bundle. One that is missing or was changed is answered for by the fallback.
    settings
        See there.
    """
    settings = settings or Settings()
    service = Service(folder, settings)

    @contextlib.asynccontextmanager
    async def beside(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()
        service.close()

    made = FastAPI(
        title="lab2live", version=lab2live.__version__, docs_url=None, redoc_url=None, openapi_url=None, lifespan=beside
    )
    made.state.service = service
    made.openapi = lambda: endpoints.described(service)  # type: ignore[method-assign]
    routes = {
        "/explain": ("POST", endpoints.explain),
        "/form": ("GET", endpoints.form),
        "/health": ("GET", endpoints.health),
        "/ready": ("GET", endpoints.ready),
        "/metrics": ("GET", endpoints.metrics),
        "/openapi.json": ("GET", endpoints.openapi),
        "/reload": ("POST", endpoints.reload),
        "/rollback": ("POST", endpoints.rollback),
        "/drift": ("POST", endpoints.drift),
        "/review/cases": ("GET", endpoints.cases),
    }
    # plain routes: FastAPI's own ones would parse and check the bodies once more
    for path, (method, endpoint) in routes.items():
        made.router.routes.append(Route(path, endpoint, methods=[method]))
    made.router.routes.append(Route("/review/cases/{number}", endpoints.case, methods=["GET", "POST"]))
    if settings.drilled:
        made.router.routes.append(Route("/drill", endpoints.drill, methods=["POST"]))
    made.add_exception_handler(HTTPException, endpoints.refused)
    for path, (name, kind) in PAGES.items():
        made.router.routes.append(Route(path, endpoints.page(name, kind), methods=["GET"]))
    for path in endpoints.QUICK:  # for whoever calls them by another method
        made.router.routes.append(Route(path, endpoints.nothing, methods=["POST"]))

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        quick = endpoints.QUICK.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if quick is None:
            await made(scope, receive, send)
        else:
            response = await quick(service, Request(scope, receive))
            await response(scope, receive, send)

    log = service.log if settings.logged else None
    paths = frozenset([*routes, *PAGES, *endpoints.QUICK])
    # what watches over the service needs no key, and a browser none for a page that asks for one
    keyless = frozenset([*PAGES, "/health", "/ready"])
    guard = Guard(front, service.metrics, settings.key, keyless, settings.rate, settings.hosts, paths, log)
    return guard, service


def serve(
    folder: Path,
    host: str,
    port: int,
    started: Callable[[str], None],
    *,
    state: Path | None = None,
    rate: float | None = None,
    logged: bool = False,
    drilled: bool = False,
    whole: bool = False,
) -> None:
    """Serve a bundle until it is stopped; requests under way are answered first.

    Parameters
    ----------
    folder
        The bundle.
    host, port
        Where; port 0 takes any free one.
    started
        Called with the address once it listens.
    state, rate
        See `Settings`.
    logged, drilled
        See `Settings`.
    whole
        Whether a bundle that is broken is an error; without it the fallback answers.

    Raises
    ------
    UserError
        If nothing can be served, or not there.
    """
    import socket

    import uvicorn

    if whole or not folder.is_dir():
        bundles.load(folder)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, so that asyncio sends small answers at once instead of waiting for more to send (Nagle)
    named = {name.strip() for name in os.environ.get(HOSTS, "").split(",")} - {""}
    hosts = own_names(host) | named
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise UserError(
            "The service cannot listen there.",
            where=f"{host}:{port}",
            found=error.strerror or str(error),
            fix="take another port: --port 0 takes any free one",
        ) from None
    try:
        made, _ = app(folder, Settings(state, os.environ.get(KEY, ""), rate, hosts, logged, drilled))
    except OSError as error:
        raise UserError(
            "The queue of cases for people cannot be kept there.",
            where=state,
            found=error.strerror or str(error),
            fix="name a folder that can be written to: --state DIR",
        ) from None
    listening.listen(1024)
    started(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/")
    config = uvicorn.Config(
        made,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listening])
