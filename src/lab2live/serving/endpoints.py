"""What can be asked of the service, path by path.

Whatever comes in is bounded and checked by hand before anything looks at it, and no answer repeats it: it may be
personal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files as resources
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import lab2live
from lab2live.errors import UserError
from lab2live.handoff import schemas
from lab2live.handoff.checking import is_number
from lab2live.serving.live import FAULTS, Running
from lab2live.serving.service import Service

# A case with three hundred columns of long texts is smaller than this.
MOST_BYTES = 256_000
# Of a request about several cases, and how many there may be.
MOST_BYTES_BATCH, MOST_CASES = 4_000_000, 1_000
TOO_LARGE = "The request is larger than {:,} bytes."
MALFORMED = 'The body has to be JSON of the form {"values": {"field": value}}.'
MALFORMED_BATCH = (
    f'The body has to be JSON of the form {{"cases": [{{"field": value}}]}}, with 1 to {MOST_CASES:,} cases.'
)
MALFORMED_DECISION = 'The body has to be JSON of the form {"output": "...", "who": "..."}.'
MALFORMED_DRIFT = 'The body has to be JSON of the form {"declared": true} or {"declared": false}.'
MALFORMED_FAULT = 'The body has to be JSON of the form {"fault": "fails"}, "hangs" or "".'


async def nothing(_: Request) -> Response:
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


async def explain(request: Request) -> Response:
    values, refusal = await _read(request, "values", dict, MOST_BYTES, MALFORMED)
    if refusal is not None:
        return refusal
    status, content = await run_in_threadpool(_service(request).explained, values)
    return JSONResponse(content, status)


async def form(request: Request) -> Response:
    bundle = _service(request).live.now.bundle
    try:
        return JSONResponse({} if bundle is None else bundle.form())
    except UserError as error:
        return JSONResponse({"message": str(error)})


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    return JSONResponse(_service(request).state())


async def metrics(request: Request) -> Response:
    return Response(_service(request).metrics.written(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def openapi(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


async def reload(request: Request) -> Response:
    if not_json := _not_json(request):
        return not_json
    service = _service(request)
    found = await run_in_threadpool(service.live.reload)
    return _changed(service, "reload", found)


async def rollback(request: Request) -> Response:
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


async def drift(request: Request) -> Response:
    declared, refusal = await _read(request, "declared", bool, MOST_BYTES, MALFORMED_DRIFT)
    if refusal is not None:
        return refusal
    service = _service(request)
    service.live.drifted = declared
    service.note()
    service.log("drift", declared=declared)
    return JSONResponse(service.state())


async def drill(request: Request) -> Response:
    fault, refusal = await _read(request, "fault", str, MOST_BYTES, MALFORMED_FAULT)
    if refusal is None and fault not in FAULTS:
        refusal = _json({"message": MALFORMED_FAULT}, 422)
    if refusal is not None:
        return refusal
    service = _service(request)
    service.live.disturb(fault)
    service.log("drill", fault=fault)
    return JSONResponse(service.state())


async def cases(request: Request) -> Response:
    service = _service(request)
    reviews, bundle = service.reviews, service.live.now.bundle
    found = [] if reviews is None else await run_in_threadpool(reviews.waiting)
    count = 0 if reviews is None else await run_in_threadpool(reviews.count)
    classes = [] if bundle is None else list(bundle.contract["classes"])
    # not as FastAPI writes it: what came may hold halves of letters
    return _json({"waiting": count, "cases": found, "outputs": classes, "kept": reviews is not None})


async def case(request: Request) -> Response:
    if request.method == "POST":
        return await _decide(request)
    reviews, number = _service(request).reviews, _number(request)
    found = None if reviews is None or number is None else await run_in_threadpool(reviews.look_up, number)
    return JSONResponse(found or {"message": "There is no such case."}, 404 if found is None else 200)


def _number(request: Request) -> int | None:
    text = request.path_params["number"]
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else None


async def refused(_: Request, error: Exception) -> Response:
    """Refuse a path or a method that there is not, in the form of every other refusal."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code, error.headers)


async def _decide(request: Request) -> Response:
    body, refusal = await _body(request, MOST_BYTES, MALFORMED_DECISION)
    if refusal is not None:
        return refusal
    if not (isinstance(body, dict) and body.keys() == {"output", "who"} and schemas.is_short(body["who"])):
        return JSONResponse({"message": MALFORMED_DECISION}, 422)
    service = _service(request)
    reviews, number = service.reviews, _number(request)
    bundle = service.live.now.bundle
    if not _is_output(bundle.contract if bundle else {}, body["output"]):
        return JSONResponse({"message": "This is no output that the model could have given."}, 422)
    if reviews is None or number is None or await run_in_threadpool(reviews.look_up, number) is None:
        return JSONResponse({"message": "There is no such case."}, 404)
    if not await run_in_threadpool(reviews.decide, number, body["output"], body["who"]):
        return JSONResponse({"message": "Somebody has decided this case already."}, 409)
    service.note()
    return JSONResponse(await run_in_threadpool(reviews.look_up, number))


def _is_output(contract: Mapping[str, Any], said: Any) -> bool:
    if contract.get("classes"):
        return said in contract["classes"]
    return is_number(said) or (not contract and schemas.is_short(said))


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
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                return None, _json({"message": TOO_LARGE.format(most)}, 413)
    except ClientDisconnect:  # nobody is there to read it; but it is no error of ours
        return None, _json({"message": malformed}, 400)
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_finite), None
    except (ValueError, RecursionError):
        return None, _json({"message": malformed}, 422)


def _not_json(request: Request) -> Response | None:
    # a page from elsewhere may send anything but this without being asked whether it may
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return None
    return _json({"message": "The body has to be JSON, and Content-Type application/json."}, 415)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    """Read a number; one that is too large for any would come out as a word that is no JSON."""
    value = float(text)
    if math.isinf(value):
        raise ValueError("too large for a number")
    return value


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content).encode(), status, media_type="application/json")


def described(service: Service) -> dict[str, Any]:
    bundle, decides = service.live.now.bundle, service.live.now.decides
    form, unasked = (bundle.form(), list(decides.unasked)) if bundle and decides else ({}, [])
    contract = bundle.contract if bundle else {}
    return schemas.openapi(form, contract, unasked, lab2live.__version__, MOST_CASES, service.keyed)


def page(name: str, kind: str) -> Callable[[Request], Any]:
    content = resources("lab2live").joinpath(name).read_bytes()

    async def page(_: Request) -> Response:
        return Response(content, media_type=kind)

    return page
