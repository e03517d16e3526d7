"""A made-up portfolio, to show what the page looks like: from a fixed seed, by the functions that write real runs.

Nothing of it is stored, so that it can never be of another layout than real runs. No number in it means anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab2live import files
from lab2live.charter import gates
from lab2live.charter import loading as charters
from lab2live.charter.gates import STAGES
from lab2live.charter.yaml import write_yaml
from lab2live.pipeline import decision, store
from lab2live.pipeline.store import LATEST
from lab2live.poc import feasibility

TODAY = dt.date(2026, 11, 2)
RESAMPLES = 400
# What may be said of each gate that does not pass in a made-up project.
SAID = {
    "eda.referential_integrity": (0.31, "31% of the keys in invoices are unknown to orders."),
    "eda.missing_critical": (0.34, "34% of due_date is missing in invoices."),
    "eda.labels": (2.0, "Two clerks agree on 61 of 100 cases only."),
    "poc.net_benefit": (0.22, "The probability of more than nothing is 22%."),
    "poc.robustness": (0.7, "One source going dark takes 70% of the lead."),
    "poc.shift": (0.71, "The newest cases can be told from the older ones: ROC AUC 0.71."),
    "handoff.fallback": (2.0, "For 2 of 7 moments it is not settled what answers."),
}


@dataclass(frozen=True)
class _Made:
    """One made-up project: what its charter and its run are to say."""

    name: str
    sources: Mapping[str, Mapping[str, Any]]
    gain: tuple[float, float]
    reached: int = 4
    build: float = 50_000
    net: tuple[float, float] | None = None
    currency: str = "EUR"
    trouble: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()


def _granted(asked: str, given: str) -> dict[str, Any]:
    return {"requested_on": dt.date.fromisoformat(asked), "granted_on": dt.date.fromisoformat(given)}


PROJECTS = (
    _Made(
        "Repeat purchases",
        {"shop": _granted("2026-03-02", "2026-03-06"), "loyalty": _granted("2026-03-02", "2026-04-20")},
        (10_000, 19_000),
        net=(110_000, 60_000),
    ),
    _Made(
        "Returned parcels",
        {"orders": _granted("2026-05-04", "2026-05-11"), "carrier": _granted("2026-05-04", "2026-09-07")},
        (4_000, 10_000),
        reached=3,
        net=(45_000, 55_000),
        trouble=("eda.referential_integrity", "poc.robustness"),
    ),
    _Made(
        "Machine stoppages",
        {"sensors": _granted("2026-06-01", "2026-06-29")},
        (0, 9_000),
        reached=2,
        build=90_000,
        net=(40_000, 90_000),
        trouble=("poc.shift",),
    ),
    _Made(
        "Energy peaks",
        {"meters": _granted("2026-07-06", "2026-07-13")},
        (1_000, 5_000),
        reached=2,
        net=(15_000, 35_000),
    ),
    _Made(
        "Branch cash needs",
        {"branches": _granted("2026-04-06", "2026-05-18")},
        (2_000, 8_000),
        net=(60_000, 40_000),
        currency="CHF",
        trouble=("handoff.fallback",),
    ),
    _Made(
        "Complaint routing",
        {
            "letters": {"access": "requested", "requested_on": dt.date(2026, 8, 10), "stand_in": "letters-like.csv"},
            "customers": _granted("2026-08-10", "2026-08-17"),
        },
        (3_000, 9_000),
        reached=2,
        net=(70_000, 30_000),
        stand_ins=("letters",),
    ),
    _Made(
        "Late invoices",
        {"invoices": _granted("2026-01-12", "2026-01-19"), "orders": _granted("2026-01-12", "2026-02-23")},
        (1_000, 4_000),
        reached=2,
        net=(-30_000, 40_000),
        trouble=("eda.referential_integrity", "eda.missing_critical", "poc.net_benefit"),
    ),
    _Made(
        "Damage from photos",
        {"claims": _granted("2026-02-02", "2026-02-09")},
        (2_000, 9_000),
        reached=1,
        trouble=("eda.labels", "eda.missing_critical"),
    ),
    _Made(
        "Staff rotas", {"rotas": {"access": "requested", "requested_on": dt.date(2026, 9, 14)}}, (0, 7_000), reached=0
    ),
)


def write(folder: Path, seed: int = 0) -> list[Path]:
    """Write the made-up portfolio.

    Parameters
    ----------
    folder
        Where the project folders go.
    seed
        The same seed gives the same projects.

    Returns
    -------
    list of Path
        One folder per project: a charter and, but for those not started, one run.
    """
    random = np.random.default_rng(seed)
    return [_write(folder / made.name.lower().replace(" ", "-"), made, random) for made in PROJECTS]


def _write(folder: Path, made: _Made, random: np.random.Generator) -> Path:
    money = {"currency": made.currency, "build_cost": made.build, "run_cost_per_month": 1_000, "horizon_months": 24}
    returning = {"answer": "made up", "measure": "made up", "unit": f"{made.currency} per month"}
    gain = dict(zip(("current", "target"), made.gain, strict=True))
    content: dict[str, Any] = {
        "project": {"name": made.name, "description": "Made up, not for any decision."},
        "business": {"value": money, "return_on_investment": returning | gain},
        "prediction": {"problem_type": "classification", "target": "outcome"},
        "sources": [{"name": name, "uri": f"{name}.csv", **more} for name, more in made.sources.items()],
    }
    if len(made.sources) > 1:
        content["join"] = {"base": next(iter(made.sources)), "on": "id"}
    files.write_text(folder / charters.FILE, write_yaml(content))
    if not made.reached:
        return folder
    charter = charters.read(folder / charters.FILE)
    run = folder / "runs" / "made-up"
    judged = [_judge(rule, made) for rule in gates.CATALOGUE.values() if rule.stage in STAGES[: made.reached]]
    results: dict[str, dict[str, Any]] = {}
    for name in STAGES[: made.reached]:
        own = [gate.as_dict() for gate in judged if gate.stage == name]
        results[name] = {
            "gates": own,
            "measures": {},
            "problems": [],
            "parameters": {"sample": None, "seed": 0, "resamples": RESAMPLES},
        }
    if made.net and "poc" in results:
        drawn = random.normal(*made.net, RESAMPLES)
        low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95])
        net = {"low": low, "middle": middle, "high": high}
        positive = float((drawn > 0).mean())
        returns = {"currency": made.currency, "horizon": 24, "net": net, "positive": positive, "lacking": ""}
        lines = feasibility.lines(charter, {gate.id: gate.as_dict() for gate in judged}, TODAY)
        steps, _ = feasibility.priority(charter, lines, (middle + made.build) / 24 + 1_000)
        results["poc"] |= {"returns": returns, "priority": steps.to_dict("records")}
    why_not = {name: "Not run yet." for name in STAGES if name not in results}
    for name, result in results.items():
        head = {"version": store.VERSION, "stage": name, "finished": True, "fingerprint": "made up"}
        files.write_json(store.result_path(run, name), {**head, "figures": [], "artefacts": [], **result})
    found = decision.compose(charter, results, why_not, _facts(made, results))
    files.write_json(run / decision.FILE, found)
    files.write_text(run / decision.LESSONS, decision.lessons(found))
    files.write_text(run.parent / LATEST, run.name + "\n")
    return folder


def _judge(rule: gates.Gate, made: _Made) -> gates.GateResult:
    if rule.id in made.trouble:
        return gates.judge(rule.id, *SAID[rule.id])
    if rule.id == "eda.access" and made.stand_ins:
        return gates.judge(rule.id, 1, f"On a stand-in: {', '.join(made.stand_ins)}.")
    return gates.judge(rule.id, rule.warn if rule.warn is not None else rule.fail, "Made up.")


def _facts(made: _Made, results: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "made-up",
        "state": "finished",
        "project": made.name,
        "smoke": False,
        "stages": [
            {"stage": name, "title": name, "status": "done" if name in results else "not run", "error": None}
            for name in STAGES
        ],
    }
