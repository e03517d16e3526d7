"""The service: a bundle behind HTTP, and the page on which people ask it.

Whatever comes in is bounded and checked by hand before anything looks at it, and no answer repeats it: it may be
personal. Nothing is loaded from elsewhere, and the headers of every answer forbid a browser to do so.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Awaitable, Callable
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

import lab2live
from lab2live.handoff import answering, bundle
from lab2live.handoff.answering import Answering, Refused

# A case with three hundred columns of long texts is smaller than this.
MOST_BYTES = 256_000
# What a browser may do with a page of ours: show it, with our own script and style, and ask us.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Path -> file of the package and its type.
PAGES = {
    "/": ("handoff/ask/ask.html", "text/html; charset=utf-8"),
    "/ask.css": ("handoff/ask/ask.css", "text/css; charset=utf-8"),
    "/ask.js": ("handoff/ask/ask.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
log = logging.getLogger("lab2live.service")


def app(folder: Path) -> FastAPI:
    """Make the service of a bundle.

    Parameters
    ----------
    folder
        The bundle; it is checked and loaded before the first request.

    Raises
    ------
    UserError
        If the bundle is incomplete, was changed, or cannot explain its answers.
    """
    ready = answering.ready(bundle.load(folder))
    # scikit-learn's models and the search hold no state, but pandas is not made for many threads at once
    one_at_a_time = threading.Lock()
    made = FastAPI(title="lab2live", version=lab2live.__version__, docs_url=None, redoc_url=None, openapi_url=None)

    @made.middleware("http")
    async def with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @made.get("/form")
    def form() -> JSONResponse:
        return JSONResponse(dict(ready.form))

    @made.get("/health")
    def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @made.post("/explain")
    async def explain(request: Request) -> JSONResponse:
        values, problem = await _values(request)
        if values is None:
            return JSONResponse({"message": problem}, 413 if problem == TOO_LARGE else 422)
        status, content = await run_in_threadpool(_explained, ready, one_at_a_time, values)
        return JSONResponse(content, status)

    for path, (name, kind) in PAGES.items():
        made.add_api_route(path, _page(name, kind), methods=["GET"], include_in_schema=False)
    return made


TOO_LARGE = f"The request is larger than {MOST_BYTES:,} bytes."
MALFORMED = 'The body has to be JSON of the form {"values": {"field": value}}.'


async def _values(request: Request) -> tuple[dict[str, Any] | None, str]:
    """Read the values of a request, or say what is wrong with it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None, TOO_LARGE
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None, MALFORMED
    values = content.get("values") if isinstance(content, dict) else None
    return (values, "") if isinstance(values, dict) else (None, MALFORMED)


def _explained(ready: Answering, one_at_a_time: threading.Lock, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    try:
        with one_at_a_time:
            found = ready.explain(values)
    except Exception as error:
        # the message may hold what was sent: only its kind goes into the log
        log.error("an explanation failed: %s", type(error).__name__)
        return 500, {"message": "The model could not answer this. The error is in the log of the service."}
    if isinstance(found, Refused):
        return 422, {"problems": found.problems, "fallback": found.fallback}
    return 200, found


def _page(name: str, kind: str) -> Callable[[], Response]:
    content = resources("lab2live").joinpath(name).read_bytes()

    def page() -> Response:
        return Response(content, media_type=kind)

    return page


def serve(folder: Path, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve a bundle until it is stopped.

    Parameters
    ----------
    folder
        The bundle.
    host, port
        Where; port 0 takes any free one.
    started
        Called with the address once it listens.
    """
    import socket

    import uvicorn

    from lab2live.errors import UserError

    made = app(folder)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        raise UserError(
            "The service cannot listen there.",
            where=f"{host}:{port}",
            found=error.strerror or str(error),
            fix="take another port: --port 0 takes any free one",
        ) from None
    started(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/")
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", access_log=False, server_header=False))
    server.run(sockets=[listening])
