"""What is known of each project: read from its charter and its newest run, whatever state they are in."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab2live import files
from lab2live.charter import loading as charters
from lab2live.charter.gates import CATALOGUE, STAGES
from lab2live.charter.schema import Charter
from lab2live.charter.yaml import read_yaml
from lab2live.errors import UserError
from lab2live.pipeline import decision as verdict
from lab2live.pipeline import store
from lab2live.poc import feasibility
from lab2live.portfolio.chances import Worth

State = Literal["live", "stopped", "not started", "unreadable"]

# Signs of money that stand for one currency only -> its ISO 4217 code.
CODES = {"€": "EUR", "£": "GBP"}
STALE, SMOKE = "the charter's money changed after this run", "smoke run"

TITLES = {"eda": "data", "poc": "proof of concept", "explainability": "trust", "handoff": "handoff"}


@dataclass(frozen=True)
class Wait:
    """How long access to a source took, or takes; `days` is `None` where the charter does not say."""

    source: str
    access: str
    days: int | None

    @property
    def is_over(self) -> bool:
        return self.access in ("granted", "public")


@dataclass(frozen=True)
class Project:
    """One project of the portfolio.

    Attributes
    ----------
    name, place
        What it is called, and the folder it was read from.
    state
        `live`, `stopped` by a no-go, `not started` without a run, or `unreadable`.
    problem
        What could not be read and why; empty if everything could.
    stage
        The last stage that was finished; empty for none.
    decision
        Of the newest run; `None` without one.
    currency, months, worth
        What is left after all costs over the horizon, as the proof of concept measured it; `None` where it did not.
    chance
        The probability that this is more than nothing; 0 for a stopped project; `None` where nothing was measured.
    basis
        Where the chance comes from, or why there is none.
    marks
        What the numbers are about, if not about the whole real data.
    blockers
        Failed gates that must pass, broken stages, and sources without access.
    waits
        Per source.
    priority, priority_basis
        As in the proof of concept: gain for cost, times confidence; `None` if it cannot be computed.
    gates
        Of the newest run: id -> status.
    lessons
        The lines of its `lessons.yaml`: the gate each is about, or `None` for a free remark, and the text.
    """

    name: str
    place: Path
    state: State
    problem: str = ""
    stage: str = ""
    decision: str | None = None
    currency: str | None = None
    months: float | None = None
    worth: Worth | None = None
    chance: float | None = None
    basis: str = ""
    marks: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    priority: float | None = None
    priority_basis: str = ""
    gates: Mapping[str, str] | None = None
    lessons: tuple[tuple[str | None, str], ...] = ()

    @property
    def counts(self) -> bool:
        """Whether its money and its chance go into the sums."""
        measured = self.worth is not None and self.chance is not None
        return self.state == "live" and measured and not {STALE, SMOKE} & set(self.marks)


def folders(place: Path) -> tuple[Path | None, Path | None]:
    """Find the project's folder and its newest run behind what somebody named: either of them may be `None`."""
    if (place / verdict.FILE).is_file():
        above = place.resolve().parents
        own = above[1] if len(above) > 1 and (above[1] / charters.FILE).is_file() else None
        return own, place
    return place, store.newest_in(place)


def identity(place: Path) -> tuple[Path | None, str, str]:
    """Say which project's folder a place belongs to, what its run calls the project, and when that run began."""
    home, run = folders(place)
    try:
        facts = {} if run is None else verdict.read(run)["run"]
    except UserError:
        facts = {}
    return home and home.resolve(), str(facts.get("project", place.resolve())), str(facts.get("started", ""))


def read(place: Path, today: dt.date) -> Project:
    """Read one project; what cannot be read is said in `Project.problem` and breaks nothing.

    Parameters
    ----------
    place
        The folder of a project, or of a run.
    today
        Until when open requests have been waited for.
    """
    home, run = folders(place)
    charter, problems = None, []
    if home is not None:
        try:
            charter = charters.read(home / charters.FILE)
        except UserError as error:
            problems.append(_short(error))
    name = charter.project.name if charter else place.resolve().name
    known = _from_charter(charter, today)
    if run is None:
        state: State = "not started" if charter else "unreadable"
        problem = "; ".join([*problems, "there is no run yet"] if charter else problems)
        basis = "no proof of concept yet, so no chance is made up"
        return Project(name, place, state, problem, basis=basis, **known)
    try:
        found = _from_run(run, charter)
    except UserError as error:
        problems.append(_short(error))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        problems.append(f"the run is not laid out as this version expects ({type(error).__name__}: {error})")
    else:
        problems += found.pop("problems")
        found["blockers"] += known.pop("blockers")
        return Project(place=place, problem="; ".join(problems), **{**known, **found})
    return Project(name, place, "unreadable", "; ".join(problems), basis="its run cannot be read", **known)


def _short(error: UserError) -> str:
    """A message on one line, without the path of this machine."""
    found = error.details.get("found", "")
    return error.problem.rstrip(".") + (f": {' '.join(found.split())}" if found else "")


def _from_charter(charter: Charter | None, today: dt.date) -> dict[str, Any]:
    if charter is None:
        return {"blockers": (), "waits": (), "priority_basis": "no charter can be read"}
    waits, blockers = [], []
    for source in charter.sources:
        end = source.granted_on if source.is_open else today
        days = (end - source.requested_on).days if end and source.requested_on else None
        waits.append(Wait(source.name, source.access, days))
        if not source.is_open:
            since = f" {days} days ago" if days is not None and source.access == "requested" else ""
            blockers.append(f"access to {source.name}: {source.access}{since}")
    steps, sentence = feasibility.priority(charter, feasibility.lines(charter, None, today), None)
    hoped = float(steps["priority"].iloc[-1]) if len(steps) else None
    return {
        "currency": code(charter.business.value.currency),
        "months": charter.business.value.horizon_months,
        "waits": tuple(waits),
        "blockers": tuple(blockers),
        "priority": hoped,
        "priority_basis": "hoped for in the charter" if len(steps) else sentence,
    }


def _from_run(run: Path, charter: Charter | None) -> dict[str, Any]:
    content = verdict.read(run)
    facts, decision = content["run"], str(content["decision"])
    if decision not in ("go", "conditional", "no-go"):
        raise ValueError(f"the decision is {decision!r}")
    done = [record["stage"] for record in facts["stages"] if record["status"] in ("done", "kept")]
    reached = [name for name in STAGES if name in done]
    gates = {str(gate["id"]): str(gate["status"]) for gate in content["gates"]}
    blockers = [f"{gate['title']}: {gate['message']}" for gate in content["gates"] if _blocks(gate)]
    blockers += [f"{record['title']} broke" for record in facts["stages"] if record["status"] == "failed"]
    stand_ins = [str(name) for name in facts["stand_ins"]]
    marks = ["demo"] if facts["demo"] else []
    marks += [f"on stand-in data: {', '.join(stand_ins)}"] if stand_ins else []
    marks += [SMOKE] if facts["smoke"] else []
    if charter is not None and facts.get("money") not in (None, charter.business.value.model_dump(mode="json")):
        marks.append(STALE)
    known: dict[str, Any] = {
        "name": str(facts["project"]),
        "state": "stopped" if decision == "no-go" else "live",
        "stage": TITLES[reached[-1]] if reached else "",
        "decision": decision,
        "gates": gates,
        "blockers": tuple(blockers),
        "marks": tuple(marks),
        "lessons": _lessons(run),
        "problems": [],
    }
    found = _measured(run)
    chance, basis = found.pop("chance", None), found.pop("basis")
    if known["state"] == "stopped":
        chance, basis = 0.0, "stopped: nothing more comes of it"
    elif stand_ins and chance is not None:
        chance, basis = None, "measured on stand-in data, which says nothing about the real ones"
    left_out = [mark for mark in (SMOKE, STALE) if mark in marks]
    if left_out and chance is not None and known["state"] == "live":
        basis = f"{basis}; left out of the sums: {' and '.join(left_out)}"
    if "problem" in found:
        known["problems"].append(found.pop("problem"))
    return {**known, **found, "chance": chance, "basis": basis}


def _blocks(gate: Mapping[str, Any]) -> bool:
    return bool(gate["must_pass"]) and gate["status"] == "fail"


def _measured(run: Path) -> dict[str, Any]:
    """Read what the proof of concept measured: money, chance and priority."""
    path = store.result_path(run, "poc")
    if not path.is_file():
        return {"basis": "no proof of concept yet, so no chance is made up"}
    content = files.read_json(path)
    if content.get("version") != store.VERSION:
        problem = f"the proof of concept was written by another version ({content.get('version')}): run it again"
        return {"basis": problem, "problem": problem}
    if not content["finished"]:
        return {"basis": "the proof of concept was not finished"}
    found: dict[str, Any] = {}
    returns = content["returns"]
    steps = [step for step in content["priority"] if step["priority"] is not None]
    if steps:
        found |= {"priority": float(steps[-1]["priority"]), "priority_basis": str(steps[-1]["basis"])}
    net, positive, drawn = returns["net"], returns["positive"], content["parameters"]["resamples"]
    if net is None or positive is None:
        return {**found, "basis": str(returns["lacking"]) or "the proof of concept measured no return"}
    ends = [float(net[name]) for name in ("low", "middle", "high")]
    if ends != sorted(ends) or not all(map(math.isfinite, ends)) or not 0 <= positive <= 1 or drawn < 1:
        raise ValueError("the measured return is no interval")
    # the rule of succession (Laplace 1814): 400 resamples of 400 do not make a certainty
    chance = (positive * drawn + 1) / (drawn + 2)
    basis = f"share of {drawn:,} resamples of the proof of concept in which more than nothing is left"
    money = {"currency": code(str(returns["currency"])), "months": returns["horizon"], "worth": Worth(*ends)}
    return {**found, **money, "chance": chance, "basis": basis}


def code(currency: str) -> str:
    """Write a currency by its code, so that EUR, eur and € are one.

    Examples
    --------
    >>> code("eur"), code("€"), code("points")
    ('EUR', 'EUR', 'points')
    """
    named = CODES.get(currency.strip(), currency.strip())
    return named.upper() if len(named) == 3 and named.isalpha() else named


def _lessons(run: Path) -> tuple[tuple[str | None, str], ...]:
    try:
        content = read_yaml((run / verdict.LESSONS).read_text(encoding="utf-8"))
        texts, named = [str(entry) for entry in content["lessons"]], list(content.get("gates", ()))
        named += [None] * len(texts)  # what follows the lessons of gates are free remarks
        return tuple((gate if gate in CATALOGUE else None, text) for gate, text in zip(named, texts, strict=False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        return ()  # nothing was written down to learn from
