"""The service: a bundle behind HTTP, for programs, and the pages on which people ask it and decide in its place.

Whatever comes in is bounded and checked by hand before anything looks at it, and no answer repeats it: it may be
personal. Nothing is loaded from elsewhere, and the headers of every answer forbid a browser to do so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import lab2live
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff import schemas
from lab2live.handoff.deciding import Decided
from lab2live.handoff.serving.guard import Guard, Log, lines, own_names
from lab2live.handoff.serving.live import FAULTS, Live, Running
from lab2live.handoff.serving.metrics import Metrics
from lab2live.handoff.serving.review import Reviews
from lab2live.handoff.serving.together import Together

if TYPE_CHECKING:
    from lab2live.handoff.answering import Answering

# A case with three hundred columns of long texts is smaller than this.
MOST_BYTES = 256_000
# Of a request about several cases, and how many there may be.
MOST_BYTES_BATCH, MOST_CASES = 4_000_000, 1_000
# Seconds between two looks at the files of the bundle.
WATCH = 5.0
# Path -> file of the package and its type.
PAGES = {
    "/": ("handoff/ask/ask.html", "text/html; charset=utf-8"),
    "/ask.css": ("handoff/ask/ask.css", "text/css; charset=utf-8"),
    "/ask.js": ("handoff/ask/ask.js", "text/javascript; charset=utf-8"),
    "/review": ("handoff/ask/review.html", "text/html; charset=utf-8"),
    "/call.js": ("handoff/ask/call.js", "text/javascript; charset=utf-8"),
    "/review.js": ("handoff/ask/review.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
TOO_LARGE = "The request is larger than {:,} bytes."
MALFORMED = 'The body has to be JSON of the form {"values": {"field": value}}.'
MALFORMED_BATCH = (
    f'The body has to be JSON of the form {{"cases": [{{"field": value}}]}}, with 1 to {MOST_CASES:,} cases.'
)
MALFORMED_DECISION = 'The body has to be JSON of the form {"output": "...", "who": "..."}.'
MALFORMED_DRIFT = 'The body has to be JSON of the form {"declared": true} or {"declared": false}.'
MALFORMED_FAULT = 'The body has to be JSON of the form {"fault": "fails"}, "hangs" or "".'
KEY = "LAB2LIVE_API_KEY"


@dataclass(frozen=True)
class Settings:
    """How a service is run.

    Attributes
    ----------
    state
        Where the cases lie that a person has to decide; `None` for nowhere: then they are only counted.
    key
        What programs have to send as `X-API-Key`; empty for no key.
    rate
        Requests per second and address; `None` for no limit.
    hosts
        See `Guard`.
    logged
        Whether every request gets a line of the log, or only what is out of the ordinary.
    drilled
        Whether `POST /drill` may make the model fail or hang.
    """

    state: Path | None = None
    key: str = ""
    rate: float | None = None
    hosts: frozenset[str] = frozenset()
    logged: bool = False
    drilled: bool = False


class Service:
    """What answers: the live bundle, those who wait, the counters and the queue."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.live = Live.of(folder)
        self.metrics = Metrics()
        self.reviews = None if settings.state is None else Reviews(settings.state)
        self.keyed = bool(settings.key)
        self.log: Log = lines(sys.stderr)
        if self.live.now.problem:
            self.log("not_whole", problem=self.live.now.problem)
        self.together = Together(
            self.answers,
            lambda cases: self.answers(cases, "time_out"),
            self.plainly,
            lambda: self.live.now.seconds,
        )
        self._explainers: dict[str, Future[Answering]] = {}
        self._explain = ThreadPoolExecutor(1, "explain")
        self._one_at_a_time = threading.Lock()
        self.prepare()
        self.note()

    def answers(self, cases: Sequence[Mapping[str, Any]], trigger: str = "") -> list[dict[str, Any]]:
        """Answer about some cases, as JSON can hold it."""
        return _written(*self.live.about(cases, trigger))

    def plainly(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer about some cases when everything else takes too long."""
        running = self.live.now
        return _written(running, running.plainly(len(cases), "time_out"))

    async def given(self, cases: Sequence[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer about the cases of a request, keep those that a person has to decide, and count.

        Only here: an answer that came too late was never given.

        Parameters
        ----------
        cases
            Field to value, each.
        facts
            Gets what the log says of it: who answered, and why not the model.
        """
        answers = await self.together.ask(cases)
        waiting = [place for place, answer in enumerate(answers) if answer["source"] == "review"]
        if waiting and self.reviews is not None:
            await run_in_threadpool(self._keep, self.reviews, cases, answers, waiting)
        by: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for answer in answers:
            by[answer["source"]] += 1
            if answer["reason"]:
                reasons[answer["reason"]] += 1
            self.metrics.case(answer["source"], answer["reason"])
        facts |= {"cases": len(answers), "by": by, "reasons": reasons, "integrity": self.live.intact}
        return answers

    def _keep(self, reviews: Reviews, cases: Sequence[Any], answers: list[dict[str, Any]], waiting: list[int]) -> None:
        kept = []
        for place in waiting:
            detail = "; ".join(f"{one['field']}: {one['message']}" for one in answers[place]["problems"])
            kept.append((answers[place]["reason"], detail, cases[place]))
        try:
            numbers = reviews.add(answers[waiting[0]]["bundle"], kept)
            self.metrics.reviews.set(reviews.count())
        except Exception as error:  # a full disk: the answer is given all the same, and says that nobody will decide
            self.log("review_not_kept", error=type(error).__name__)
            return
        for place, number in zip(waiting, numbers, strict=True):
            answers[place]["review"] = number

    def prepare(self) -> None:
        """Load what explains the answers of the live bundle, beside everything else: it takes seconds."""
        running = self.live.now
        kept = {
            name: made for name, made in self._explainers.items() if self.live.before and name == self.live.before.name
        }
        if not running.problem:
            kept[running.name] = self._explainers.get(running.name) or self._explain.submit(_explaining, running)
        self._explainers = kept

    def explained(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer everything about one case: status and content."""
        from lab2live.handoff.answering import Refused

        made = None if self.live.now.problem else self._explainers.get(self.live.now.name)
        if made is None:
            return 503, {
                "message": "The bundle is not whole, so that the model does not answer. The fallback does: /predict."
            }
        try:
            answering = made.result()
            with self._one_at_a_time:
                found = answering.explain(values, "drift" if self.live.drifted else "")
        except UserError as error:
            return 503, {"message": str(error)}
        except Exception as error:
            # the message may hold what was sent: only its kind goes into the log
            self.log("explanation_failed", error=type(error).__name__)
            return 500, {"message": "The model could not answer this. The error is in the log of the service."}
        if isinstance(found, Refused):
            return 422, {"problems": found.problems, "fallback": found.fallback}
        return 200, found

    def note(self) -> None:
        """Set the gauges to how things are."""
        self.metrics.intact.set(self.live.intact)
        self.metrics.drifted.set(self.live.drifted)
        self.metrics.by_model.set(not self.live.now.problem and not self.live.drifted)
        if self.reviews is not None:
            self.metrics.reviews.set(self.reviews.count())

    def state(self) -> dict[str, Any]:
        """Say who answers, and whether what explains the answers is loaded yet."""
        now = self.live.now
        by = "fallback" if now.problem or self.live.drifted else "model"
        made = self._explainers.get(now.name)
        return {
            "ready": True,
            "answers_by": by,
            "explains": not now.problem and made is not None and made.done(),
            "bundle": now.name,
            "intact": self.live.intact,
            "problem": now.problem,
        }

    async def watch(self) -> None:
        """Look at the files again and again, and say so when they are not what they were."""
        while True:
            await asyncio.sleep(WATCH)
            before = self.live.intact
            if await run_in_threadpool(self.live.look) != before:
                self.log("integrity", intact=self.live.intact, bundle=self.live.now.name)
            self.note()

    def close(self) -> None:
        """End what runs beside."""
        self.together.close()
        self._explain.shutdown(wait=False, cancel_futures=True)
        if self.reviews is not None:
            self.reviews.close()


def _written(running: Running, found: Decided) -> list[dict[str, Any]]:
    """Write answers as JSON can hold them."""
    told_apart = zip(found.answer.tolist(), found.output, found.source, found.reason, found.problems, strict=True)
    return [
        {
            "answer": None if answer != answer else answer,
            "output": output or None,
            "source": source,
            "reason": reason,
            "problems": [{"field": name, "message": text} for name, text in problems],
            "review": None,
            "bundle": running.name,
        }
        for answer, output, source, reason, problems in told_apart
    ]


def _explaining(running: Running) -> Answering:
    from lab2live.handoff import answering

    assert running.bundle is not None
    return answering.ready(running.bundle)


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
    made.openapi = lambda: _described(service)  # type: ignore[method-assign]
    routes = {
        "/explain": ("POST", _explain),
        "/form": ("GET", _form),
        "/health": ("GET", _health),
        "/ready": ("GET", _ready),
        "/metrics": ("GET", _metrics),
        "/openapi.json": ("GET", _openapi),
        "/reload": ("POST", _reload),
        "/rollback": ("POST", _rollback),
        "/drift": ("POST", _drift),
        "/review/cases": ("GET", _cases),
    }
    # plain routes: FastAPI's own ones would parse and check the bodies once more
    for path, (method, endpoint) in routes.items():
        made.router.routes.append(Route(path, endpoint, methods=[method]))
    made.router.routes.append(Route("/review/cases/{number}", _case, methods=["GET", "POST"]))
    if settings.drilled:
        made.router.routes.append(Route("/drill", _drill, methods=["POST"]))
    made.add_exception_handler(HTTPException, _refused)
    for path, (name, kind) in PAGES.items():
        made.router.routes.append(Route(path, _page(name, kind), methods=["GET"]))
    for path in QUICK:  # for whoever calls them by another method
        made.router.routes.append(Route(path, _nothing, methods=["POST"]))

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        quick = QUICK.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if quick is None:
            await made(scope, receive, send)
        else:
            response = await quick(service, Request(scope, receive))
            await response(scope, receive, send)

    log = service.log if settings.logged else None
    paths = frozenset([*routes, *PAGES, *QUICK])
    # what watches over the service needs no key, and a browser none for a page that asks for one
    keyless = frozenset([*PAGES, "/health", "/ready"])
    guard = Guard(front, service.metrics, settings.key, keyless, settings.rate, settings.hosts, paths, log)
    return guard, service


async def _nothing(_: Request) -> Response:
    raise AssertionError("answered before it comes here")


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


async def _predict(service: Service, request: Request) -> Response:
    values, refusal = await _read(request, "values", dict, MOST_BYTES, MALFORMED)
    if refusal is not None:
        return refusal
    (answer,) = await service.given([values], request.scope["state"]["facts"])
    return _json(answer, 422 if answer["reason"] == "invalid_input" else 200)


async def _predict_batch(service: Service, request: Request) -> Response:
    cases, refusal = await _read(request, "cases", list, MOST_BYTES_BATCH, MALFORMED_BATCH)
    if refusal is not None:
        return refusal
    if not 0 < len(cases) <= MOST_CASES or not all(isinstance(case, dict) for case in cases):
        return _json({"message": MALFORMED_BATCH}, 422)
    answers = await service.given(cases, request.scope["state"]["facts"])
    return _json({"answers": answers}, 422 if any(answer["reason"] == "invalid_input" for answer in answers) else 200)


async def _explain(request: Request) -> Response:
    values, refusal = await _read(request, "values", dict, MOST_BYTES, MALFORMED)
    if refusal is not None:
        return refusal
    status, content = await run_in_threadpool(_service(request).explained, values)
    return JSONResponse(content, status)


async def _form(request: Request) -> Response:
    bundle = _service(request).live.now.bundle
    try:
        return JSONResponse({} if bundle is None else bundle.form())
    except UserError as error:
        return JSONResponse({"message": str(error)})


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    return JSONResponse(_service(request).state())


async def _metrics(request: Request) -> Response:
    return Response(_service(request).metrics.written(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _openapi(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


async def _reload(request: Request) -> Response:
    if not_json := _not_json(request):
        return not_json
    service = _service(request)
    found = await run_in_threadpool(service.live.reload)
    return _changed(service, "reload", found)


async def _rollback(request: Request) -> Response:
    if not_json := _not_json(request):
        return not_json
    service = _service(request)
    found = await run_in_threadpool(service.live.rollback)  # a reload under way is waited for
    if found is None:
        return JSONResponse({"message": "There is no earlier bundle to go back to."}, 409)
    return _changed(service, "rollback", found)


def _changed(service: Service, event: str, found: Running) -> Response:
    service.prepare()
    service.metrics.reloads.labels("no" if found.problem else "yes").inc()
    service.note()
    service.log(event, bundle=found.name, whole=not found.problem)
    return JSONResponse(service.state(), 409 if found.problem else 200)


async def _drift(request: Request) -> Response:
    declared, refusal = await _read(request, "declared", bool, MOST_BYTES, MALFORMED_DRIFT)
    if refusal is not None:
        return refusal
    service = _service(request)
    service.live.drifted = declared
    service.note()
    service.log("drift", declared=declared)
    return JSONResponse(service.state())


async def _drill(request: Request) -> Response:
    fault, refusal = await _read(request, "fault", str, MOST_BYTES, MALFORMED_FAULT)
    if refusal is None and fault not in FAULTS:
        refusal = _json({"message": MALFORMED_FAULT}, 422)
    if refusal is not None:
        return refusal
    service = _service(request)
    service.live.disturb(fault)
    service.log("drill", fault=fault)
    return JSONResponse(service.state())


async def _cases(request: Request) -> Response:
    service = _service(request)
    reviews, bundle = service.reviews, service.live.now.bundle
    found = [] if reviews is None else await run_in_threadpool(reviews.waiting)
    count = 0 if reviews is None else await run_in_threadpool(reviews.count)
    classes = [] if bundle is None else list(bundle.contract["classes"])
    # not as FastAPI writes it: what came may hold halves of letters
    return _json({"waiting": count, "cases": found, "outputs": classes, "kept": reviews is not None})


async def _case(request: Request) -> Response:
    if request.method == "POST":
        return await _decide(request)
    reviews, number = _service(request).reviews, _number(request)
    found = None if reviews is None or number is None else await run_in_threadpool(reviews.look_up, number)
    return JSONResponse(found or {"message": "There is no such case."}, 404 if found is None else 200)


def _number(request: Request) -> int | None:
    text = request.path_params["number"]
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else None


async def _refused(_: Request, error: Exception) -> Response:
    """Refuse a path or a method that there is not, in the form of every other refusal."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code, error.headers)


async def _decide(request: Request) -> Response:
    body, refusal = await _body(request, MOST_BYTES, MALFORMED_DECISION)
    if refusal is not None:
        return refusal
    names = ("output", "who")
    texts = [str(body[name]) for name in names] if isinstance(body, dict) and body.keys() == {*names} else []
    if not texts or not all(isinstance(body[name], str) and schemas.is_short(body[name]) for name in names):
        return JSONResponse({"message": MALFORMED_DECISION}, 422)
    service = _service(request)
    reviews, number = service.reviews, _number(request)
    bundle = service.live.now.bundle
    if bundle is not None and not _is_output(bundle.contract, texts[0]):
        return JSONResponse({"message": "This is no output that the model could have given."}, 422)
    if reviews is None or number is None or await run_in_threadpool(reviews.look_up, number) is None:
        return JSONResponse({"message": "There is no such case."}, 404)
    if not await run_in_threadpool(reviews.decide, number, texts[0], texts[1]):
        return JSONResponse({"message": "Somebody has decided this case already."}, 409)
    service.note()
    return JSONResponse(await run_in_threadpool(reviews.look_up, number))


def _is_output(contract: Mapping[str, Any], text: str) -> bool:
    if contract["classes"]:
        return text in contract["classes"]
    return re.search(schemas.NUMBER, text) is not None


# What is asked most goes past the framework, which takes longer than the answer.
QUICK: dict[str, Callable[[Service, Request], Awaitable[Response]]] = {
    "/predict": _predict,
    "/predict/batch": _predict_batch,
}


async def _read(request: Request, name: str, kind: type, most: int, malformed: str) -> tuple[Any, Response | None]:
    """Read the one thing that a body holds, or say what is wrong with it."""
    body, refusal = await _body(request, most, malformed)
    if refusal is None and not (isinstance(body, dict) and body.keys() == {name} and isinstance(body[name], kind)):
        refusal = _json({"message": malformed}, 422)
    return (None, refusal) if refusal is not None else (body[name], None)


async def _body(request: Request, most: int, malformed: str) -> tuple[Any, Response | None]:
    if not_json := _not_json(request):
        return None, not_json
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None, _json({"message": TOO_LARGE.format(most)}, 413)
    try:
        return json.loads(body, parse_constant=_no_number), None
    except (ValueError, RecursionError):
        return None, _json({"message": malformed}, 422)


def _not_json(request: Request) -> Response | None:
    # a page from elsewhere may send anything but this without being asked whether it may
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return None
    return _json({"message": "The body has to be JSON, and Content-Type application/json."}, 415)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content).encode(), status, media_type="application/json")


def _described(service: Service) -> dict[str, Any]:
    bundle, decides = service.live.now.bundle, service.live.now.decides
    form, unasked = (bundle.form(), list(decides.unasked)) if bundle and decides else ({}, [])
    contract = bundle.contract if bundle else {}
    return schemas.openapi(form, contract, unasked, lab2live.__version__, MOST_CASES, service.keyed)


def _page(name: str, kind: str) -> Callable[[Request], Any]:
    content = resources("lab2live").joinpath(name).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=kind)

    return page


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
        made, _ = app(folder, Settings(state, os.environ.get(KEY, ""), rate, own_names(host), logged, drilled))
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
