"""A stand-in for the service behind the page for asking: the real files, and made-up answers of the same shape."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files as resources
from typing import Any

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = {
    "/": ("handoff/ask/ask.html", "text/html; charset=utf-8"),
    "/ask.css": ("handoff/ask/ask.css", "text/css; charset=utf-8"),
    "/ask.js": ("handoff/ask/ask.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
LINE = 0.12
START = 0.23


def _number(name: str, low: float, high: float, unit: str = "", **more: Any) -> dict[str, Any]:
    field = {"name": name, "kind": "number", "unit": unit, "low": low, "high": high, "whole": True}
    return field | {"optional": True, "locked": ""} | more


def _category(name: str, *choices: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "category", "unit": "", "choices": choices, "optional": True, "locked": ""} | more


FORM: dict[str, Any] = {
    "title": "Telecom churn",
    "question": "Which customers are about to leave, so that the retention team calls them this month?",
    "target": "churned",
    "notice": "Demo data: nothing here is about real customers.",
    "fields": [
        _category("contract", "monthly", "one year", "two years"),
        _number("monthly_bill", 12.5, 140.0, "EUR", whole=False),
        _number("tickets_90d", 0, 9),
        _number("tenure_months", 0, 94, "months", optional=False, locked="it cannot change"),
        _category("tariff", "basic", "plus", "max"),
        {
            "name": "signup_date",
            "kind": "date",
            "unit": "",
            "low": "2019-01-03",
            "high": "2026-10-01",
            "optional": False,
            "locked": "it cannot change",
        },
        _number("yearly_bill", 150.0, 1680.0, "EUR", whole=False, derived="12 * monthly_bill"),
    ],
    "cases": [
        {
            "title": "A case with a high answer",
            "values": {
                "contract": "monthly",
                "monthly_bill": 80.1,
                "tickets_90d": 4,
                "tenure_months": 5,
                "tariff": "basic",
                "signup_date": "2026-05-06",
            },
        },
        {
            "title": "A case with a low answer",
            "values": {
                "contract": "two years",
                "monthly_bill": 30.0,
                "tickets_90d": 0,
                "tenure_months": 60,
                "tariff": None,
                "signup_date": "2021-10-02",
            },
        },
    ],
}


def explain(values: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Give the status and the content of an answer about a case."""
    problems = list(_problems(values))
    if problems:
        when, words = "the input is invalid", "The model would not be asked: the input is invalid. A person decides."
        review = {"would": True, "when": when, "answer": "review", "says": "", "words": words}
        return 422, {"problems": problems, "fallback": review}
    contract, bill = values.get("contract"), values.get("monthly_bill")
    tickets, tenure = values.get("tickets_90d"), values["tenure_months"]
    effects = [
        (f"contract is {_said(contract)}", {"monthly": 1.3, "one year": -0.7, "two years": -1.9}.get(contract, 0.0)),
        (f"monthly_bill is {_said(bill)}", 0.0 if bill is None else (bill - 60) / 28),
        (f"tickets_90d is {_said(tickets)}", 0.0 if tickets is None else 0.45 * (tickets - 1)),
        (f"tenure_months is {_said(tenure)}", (20 - tenure) / 45),
        (f"tariff is {_said(values.get('tariff'))}", {"basic": 0.1, "plus": -0.1}.get(values.get("tariff"), 0.0)),
    ]
    margin = math.log(START / (1 - START))
    share, parts = START, []
    for what, effect in effects:
        margin += effect
        points = 100 * (_share(margin) - share)
        share = _share(margin)
        parts.append({"what": what, "value": points, "text": f"{points:+.0f} points"})
    parts.sort(key=lambda part: -abs(part["value"]))
    act, strange = share >= LINE, bill is not None and not 0 <= bill <= 200
    unlike = "The model would not be asked: it has never seen anything like it. Today's rule would answer 'yes'."
    fallback = {"would": False, "words": "The model answers; no fallback is needed."}
    if strange:
        when = "the model has never seen anything like it"
        fallback = {"would": True, "when": when, "answer": "rule", "says": "'yes' (the business rule)", "words": unlike}
    output, said = "'yes'" if act else "'no'", f"{100 * share:.0f} % yes"
    sure = share > 0.3 or share < 0.05
    return 200, {
        "answer": {
            "output": output,
            "said": said,
            "share": share,
            "line": LINE,
            "why": f"From {100 * LINE:.0f} % on it pays to act.",
        },
        "confidence": {
            "words": f"Of 100 cases with an answer like this, {100 * share:.0f} turned out 'yes' "
            "(95 % interval 84 to 91, 1,204 cases).",
            "set": f"With 90 % confidence: {output}." if sure else "With 90 % confidence: 'yes' or 'no'.",
            "sure": sure,
        },
        "reasons": {
            "start": f"{100 * START:.0f} %",
            "end": f"{100 * share:.0f} %",
            "unit": "points",
            "parts": parts,
            "sentence": f"{said}, from {100 * START:.0f} % when nothing is known.",
        },
        "flips": _flips(values, act),
        "fallback": fallback,
        "unfamiliar": [f"monthly_bill is {bill:,.0f}: training cases lie between 12.5 and 140."] if strange else [],
        "derived": {"yearly_bill": None if bill is None else 12 * bill},
    }


def _problems(values: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for field in FORM["fields"]:
        name, value, message = field["name"], values.get(field["name"]), ""
        if "derived" in field:
            continue
        if value is None:
            message = "" if field["optional"] else "This has to be known: it always was in what was learnt from."
        elif field["kind"] == "number":
            message = "" if isinstance(value, int | float) else "A number is needed."
        elif field["kind"] == "date":
            try:
                date.fromisoformat(value)
            except ValueError:
                message = "A date is needed, written as 2026-12-31."
        if message:
            yield {"field": name, "message": message, "fallback": "review"}


def _share(margin: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, margin))))


def _said(value: Any) -> str:
    return "not known" if value is None else f"'{value}'" if isinstance(value, str) else f"{value:g}"


def _flips(values: Mapping[str, Any], act: bool) -> dict[str, Any]:
    if not act:
        return {"none": "No change of what may change leads to another output.", "options": []}
    smallest = {"contract": "two years", "monthly_bill": 28.0, "tickets_90d": 0}
    proposals = {
        "Smallest change": smallest,
        "Most typical change": smallest | {"monthly_bill": 24.9, "tariff": "plus"},
        "Nearest real case": smallest | {"monthly_bill": 19.5},
    }
    options = []
    for title, wanted in proposals.items():
        changed = {name: value for name, value in wanted.items() if values.get(name) != value}
        changes = [
            {"column": name, "before": _said(values.get(name)), "after": _said(value)}
            for name, value in changed.items()
        ]
        said = " and ".join(f"{name} were {_said(value)}" for name, value in changed.items())
        sentence = f"The model's output would change from 'yes' to 'no' if {said}."
        options.append({"title": title, "sentence": sentence, "changes": changes, "values": changed})
    return {"none": "", "options": options}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/form":
            self._send(200, FORM)
        elif self.path in FILES:
            name, kind = FILES[self.path]
            self._send(200, resources("lab2live").joinpath(name).read_bytes(), kind)
        else:
            self._send(404, {"message": "There is nothing here."})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(*explain(content["values"]))

    def _send(self, status: int, content: Any, kind: str = "application/json") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Security-Policy": CSP, "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve on a free port of this machine and give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
