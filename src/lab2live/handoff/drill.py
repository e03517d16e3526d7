"""Does the fallback work when it has to? Every trigger is set off in a running service, and its answer looked at (L1).

A copy of the bundle is served by a process of its own on this machine. What cannot be sent is done to it: the service
is told to let the model fail or hang, and a byte of the copy's model file is changed. The bundle itself is not touched.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.fallback import NOT_SETTLED, NOTHING_SETTLED, TRIGGERS
from lab2live.handoff.form import written
from lab2live.pipeline.evidence import Evidence

# Seconds that a service may take to start.
PATIENCE = 60.0
# How often a case is sent that a busy machine answers too late.
ATTEMPTS = 5
# Real cases that are tried.
MOST_TRIED = 500
SENT = {
    "invalid_input": "sent: a value of the wrong kind",
    "out_of_distribution": "sent: a case unlike any that was learnt from",
    "low_confidence": "sent: a case of which the model is not sure",
}
NONE_FOUND = "no such case could be made"


@dataclass(frozen=True)
class Exercise:
    """One trigger that was set off.

    Attributes
    ----------
    trigger, when
        Which, and in words.
    wanted
        Who has to answer; `not settled` where the charter says nothing: then nothing is judged.
    answered
        Who did; empty where it could not be set off.
    note
        What was done, or why nothing could be.
    """

    trigger: str
    when: str
    wanted: str
    answered: str
    note: str

    @property
    def works(self) -> bool | None:
        return self.answered == self.wanted if self.answered and self.wanted != NOT_SETTLED else None


def exercise(folder: Path, rows: pd.DataFrame) -> list[Exercise]:
    """Set off every trigger.

    Parameters
    ----------
    folder
        The bundle.
    rows
        Real cases of the joined table, among which those are looked for that the model is not sure of, or has never
        seen the like of.

    Raises
    ------
    UserError
        If the service does not start.
    """
    loaded = bundles.load(folder)
    decides = Deciding.of(loaded)
    policy = loaded.contract["fallback"]["policy"]
    cases = _cases(decides, loaded.form(), rows)
    done: list[Exercise] = []

    def note(trigger: str, answer: Mapping[str, Any] | None, how: str) -> None:
        wanted = policy.get(trigger, NOT_SETTLED)
        found = "" if answer is None else str(answer["served_by"])
        if answer is not None and answer["reason"] != trigger:
            found = f"{found} ({answer['reason'] or 'no reason given'})"
        done.append(Exercise(trigger, TRIGGERS[trigger], wanted, found, how))

    with tempfile.TemporaryDirectory(prefix="lab2live-drill-") as work:
        copy = shutil.copytree(folder, Path(work) / "bundle")
        with serving(copy, Path(work) / "state") as ask:
            ask.settle()
            for trigger, how in SENT.items():
                case = cases.get(trigger)
                note(trigger, None if case is None else answered(ask, case), how if case else NONE_FOUND)
            usual = cases["usual"]
            ask("/drift", {"declared": True})
            note("drift", answered(ask, usual), "declared to the service")
            ask("/drift", {"declared": False})
            ask("/drill", {"fault": "fails"})
            note("model_error", answered(ask, usual), "the model was made to fail")
            ask("/drill", {"fault": "hangs"})
            note("time_out", ask("/predict", {"values": usual}), "the model was made to hang")
            model = next(copy.glob("model.*"))
            model.write_bytes(model.read_bytes()[:-1] + b"?")
            ask("/reload", {})
            note("integrity", answered(ask, usual), "a byte of the model's file was changed")
    order = list(TRIGGERS)
    return sorted(done, key=lambda one: order.index(one.trigger))


def _cases(decides: Deciding, form: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Find a case for every trigger that lies in the case itself, and a usual one."""
    asked = [field for field in form["fields"] if "derived" not in field]
    real = real_cases(form, rows.head(MOST_TRIED))
    typical = [{name: case["values"].get(name) for name in real[0]} for case in form["cases"]]
    tried = [*typical, *real]
    tried += [
        {**case, field["name"]: field["high"] + steps * (field["high"] - field["low"] + 1)}
        for field in asked
        if field["kind"] == "number"
        for steps in (0.5, 5, 50)
        for case in typical
    ]
    tried += [
        {**case, field["name"]: "never seen"} for field in asked if field["kind"] == "category" for case in typical
    ]
    columns = {field["name"]: [case.get(field["name"]) for case in tried] for field in asked}
    found = decides.about(columns, len(tried))
    first: dict[str, dict[str, Any]] = {}
    for case, reason in zip(tried, found.reason, strict=True):
        first.setdefault(reason or "usual", case)
    kinds = {"number": "a word", "category": 7, "date": "some day"}
    broken = {field["name"]: kinds[field["kind"]] for field in asked[:1]}
    usual = first.get("usual") or first.get("low_confidence") or typical[0]
    return {**first, "usual": usual, "invalid_input": {**usual, **broken}}


def real_cases(form: Mapping[str, Any], rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Write rows of the joined table as the service takes them."""
    asked = [field for field in form["fields"] if "derived" not in field]
    cases = []
    for row in rows.to_dict("records"):
        case = {field["name"]: written(row[field["name"]], field) for field in asked if field["name"] in row}
        timed = {name: value for name, value in row.items() if name in case and _has_time(value)}
        cases.append(case | {str(name): value.isoformat() for name, value in timed.items()})
    return cases


def _has_time(value: Any) -> bool:
    return isinstance(value, pd.Timestamp) and value != value.normalize()


class Asking:
    """Asks a service on this machine, over one connection.

    Parameters
    ----------
    port
        Where it listens.
    process
        The number of its process.
    """

    def __init__(self, port: int, process: int) -> None:
        self.port, self.process = port, process
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __call__(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Post something, or get what there is."""
        if body is None:
            self._connection.request("GET", path)
        else:
            self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        found: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return found

    def settle(self) -> None:
        """Wait until all is loaded: until then even a sound model may be too late."""
        end = time.monotonic() + PATIENCE
        while not self("/ready")["explains"] and time.monotonic() < end:
            time.sleep(0.05)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def answered(ask: Asking, case: Mapping[str, Any]) -> dict[str, Any]:
    """Ask again where a busy machine was too slow for a sound model: that is another trigger than this one."""
    for _ in range(ATTEMPTS):
        found = ask("/predict", {"values": case})
        if found["reason"] != "time_out":
            break
    return found


@contextmanager
def serving(folder: Path, state: Path) -> Iterator[Asking]:
    """Serve a bundle in a process of its own, for as long as it is asked.

    Raises
    ------
    UserError
        If it does not start; with what it said.
    """
    said = state.with_suffix(".log")
    said.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "lab2live", "serve", str(folder), "--port", "0", "--state", str(state), "--drill"]
    machinery = str(Path(bundles.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": machinery, "PYTHONIOENCODING": "utf-8"}
    environment.pop("LAB2LIVE_API_KEY", None)
    with (
        said.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8", env=environment, cwd=state.parent
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                process.wait(PATIENCE)
                last = said.read_text(encoding="utf-8", errors="replace").strip()
                raise UserError("The service does not start.", where=folder, found=last[-500:] or "nothing was said")
            asking = Asking(int(line.rstrip("/ \n").rpartition(":")[2]), process.pid)
            yield asking
            asking.close()
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:  # something in it hangs, as it was meant to
                process.kill()


def table(done: Sequence[Exercise]) -> pd.DataFrame:
    """Show what was exercised, one trigger a line."""
    words: dict[bool | None, str] = {True: "yes", False: "no"}
    return pd.DataFrame(
        [
            {
                "when": one.when,
                "has to answer": one.wanted,
                "answered": one.answered,
                "works": words.get(one.works, "not judged" if one.answered else "not tried"),
                "how": one.note,
            }
            for one in done
        ]
    )


def failed(done: Sequence[Exercise]) -> Evidence:
    """Count the settled triggers that ended otherwise than the charter wants."""
    shown = table(done)
    return Evidence(*_failed(done), shown, data={"drill": shown.to_dict("records")})


def _failed(done: Sequence[Exercise]) -> tuple[int | None, str]:
    settled = [one for one in done if one.wanted != NOT_SETTLED]
    if not settled:
        return None, f"{NOTHING_SETTLED}: who answered is shown, and nothing was there to hold it against."
    tried = [one for one in settled if one.works is not None]
    some = len(settled) < len(done)
    if not tried:
        return None, f"No trigger {'that is settled ' if some else ''}could be set off."
    wrong = [one for one in tried if not one.works]
    left = [one.trigger for one in settled if one.works is None]
    beside = f" Not set off, since no such case could be made: {', '.join(left)}." if left else ""
    if some:
        others = ", ".join(one.trigger for one in done if one.wanted == NOT_SETTLED)
        beside += f" The charter settles {len(settled)} of {len(done)} triggers; not judged: {others}."
    if wrong:
        named = "; ".join(f"{one.trigger}: {one.answered} instead of {one.wanted}" for one in wrong)
        return len(wrong), f"{named}.{beside}"
    which = f"{len(tried)} triggers that are settled" if some else f"{len(tried)} triggers"
    return 0, f"In a running service all {which} end with whom the charter names.{beside}"
