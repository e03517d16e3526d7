"""Can it be done, and how important is it (B4)? Data, signal, skills, infrastructure and time, and a priority."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from lab2live.charter import review
from lab2live.charter.schema import Business, Charter
from lab2live.pipeline.evidence import Evidence

Status = Literal["pass", "warn", "fail", "skip"]

# What a line is worth as confidence that the project comes to its end. Unknown is as good as doubtful.
CONFIDENCE: dict[Status, float] = {"pass": 1.0, "warn": 0.5, "skip": 0.5, "fail": 0.0}
SEVERITY: dict[Status, int] = {"pass": 0, "skip": 0, "warn": 1, "fail": 2}
# Gates of the data stage that speak for each line, the most telling one first: of several that decide it is quoted.
DATA = ("eda.target", "eda.sources", "eda.access", "eda.missing_critical")
SIGNAL = ("eda.signal", "eda.leakage")
# From which ratio of return to cost, times confidence, a priority is called medium and high: a rule of thumb.
MEDIUM, HIGH = 1.0, 3.0


@dataclass(frozen=True)
class Line:
    """One thing a project needs."""

    what: str
    status: Status
    text: str


def lines(charter: Charter, judged: Mapping[str, Mapping[str, Any]] | None, today: dt.date | None = None) -> list[Line]:
    """Look at the five things a project needs.

    Parameters
    ----------
    charter
        Skills, team, deployment and deadline.
    judged
        The gates of the data stage by id, as its results hold them; `None` if that stage has no valid results.
    today
        Instead of today.
    """
    return [
        _gates("data", DATA, judged),
        _gates("signal", SIGNAL, judged),
        _skills(charter),
        _infrastructure(charter),
        _time(charter, today or dt.date.today()),
    ]


def _gates(what: str, ids: Sequence[str], judged: Mapping[str, Mapping[str, Any]] | None) -> Line:
    if judged is None:
        return Line(what, "skip", "the data stage has not run on this state of things (lab2live run --stage eda)")
    known = [judged[gate] for gate in ids if gate in judged]
    worst = max(known, key=lambda gate: SEVERITY[gate["status"]], default=None)
    if worst is None or all(gate["status"] == "skip" for gate in known):
        return Line(what, "skip", "nothing could be said")
    if worst["status"] in ("warn", "fail"):
        return Line(what, worst["status"], worst["message"])
    return Line(what, "pass", next(gate["message"] for gate in known if gate["status"] == "pass"))


def _skills(charter: Charter) -> Line:
    skills, people = charter.feasibility.skills, [member.who for member in charter.team.values() if member.who]
    if not skills:
        return Line("skill", "skip", "the charter does not say which skills it takes (feasibility.skills)")
    named = ", ".join(skills)
    if not people:
        return Line("skill", "warn", f"it takes {named}, and the charter names nobody (team)")
    return Line("skill", "pass", f"it takes {named}; {len(people)} people are named")


def _infrastructure(charter: Charter) -> Line:
    where = charter.deployment
    if where.target is None:
        return Line("infrastructure", "skip", "the charter does not say how the model will run (deployment.target)")
    if where.platform is None:
        return Line(
            "infrastructure", "warn", f"to run as {where.target}, and nobody has said where (deployment.platform)"
        )
    return Line("infrastructure", "pass", f"{where.target} on {where.platform}")


def _time(charter: Charter, today: dt.date) -> Line:
    left = review.time_left(charter, today)
    return Line("time", left.status, left.text)


def evidence(found: Sequence[Line]) -> Evidence:
    """Give 0, 1 or 2 for nothing, a doubt, or something in the way; `None` if nothing is known."""
    known = [line for line in found if line.status != "skip"]
    worst = max((SEVERITY[line.status] for line in known), default=None)
    against = [f"{line.what}: {line.text}" for line in known if SEVERITY[line.status] == worst]
    unknown = [line.what for line in found if line.status == "skip"]
    if worst is None:
        message = "Nothing is known of data, signal, skills, infrastructure and time."
    elif worst == 0:
        message = "Nothing known stands in the way." + (f" Not known: {', '.join(unknown)}." if unknown else "")
    else:
        message = "; ".join(against).removesuffix(".") + "."
    return Evidence(worst, message, table(found), data={"feasibility": found})


def table(found: Sequence[Line]) -> pd.DataFrame:
    """Show the lines."""
    words = {"pass": "yes", "warn": "doubtful", "fail": "no", "skip": "not known"}
    return pd.DataFrame([{"needed": line.what, "there": words[line.status], "why": line.text} for line in found])


def hoped_per_month(business: Business) -> float | None:
    """Give the return hoped for, from `current` to `target`, where it is stated in money a month; else None."""
    answer, currency = business.return_on_investment, re.escape(business.value.currency)
    in_money = re.fullmatch(rf"{currency}(\s*(/|per|an?)\s*month)?", (answer.unit or "").strip(), re.IGNORECASE)
    if not in_money or answer.current is None or answer.target is None:
        return None
    return answer.target - answer.current


def priority(charter: Charter, found: Sequence[Line], measured: float | None) -> tuple[pd.DataFrame, str]:
    """Give the priority and the arithmetic behind it: what it brings for what it costs, times how likely it gets there.

    Parameters
    ----------
    charter
        Costs, horizon, and what is hoped for.
    found
        See `lines`.
    measured
        What the model gains per month over the best alternative; `None` where that is not known.

    Returns
    -------
    steps, sentence
        The steps as a table with what was hoped for beside what was measured, and the priority in words.
    """
    value, hoped = charter.business.value, hoped_per_month(charter.business)
    sure = sum(CONFIDENCE[line.status] for line in found) / max(1, len(found))
    months, unit = value.horizon_months, value.currency
    gain_stated = f"per_case with cases_per_month, or return_on_investment in money a month (unit: {unit} per month)"
    stated = {"build_cost": value.build_cost, "horizon_months": months}
    stated[gain_stated] = hoped if measured is None else measured
    lacking = [name for name, given in stated.items() if given is None]
    if lacking or value.build_cost is None or months is None:
        return pd.DataFrame(), f"No priority can be computed: the charter has to state {', '.join(lacking)}."
    cost = value.build_cost + (value.run_cost_per_month or 0) * months
    if cost <= 0:
        return pd.DataFrame(), "No priority can be computed: the charter says that it costs nothing."
    steps, score = [], 0.0
    for basis, gain in (("hoped for in the charter", hoped), ("measured here", measured)):
        if gain is not None:
            ratio = gain * months / cost
            score = round(ratio * sure, 2)
            steps.append(
                {
                    "basis": basis,
                    f"gain a month ({unit})": round(gain),
                    "months": months,
                    f"cost ({unit})": round(cost),
                    "gain / cost": round(ratio, 2),
                    "confidence": round(sure, 2),
                    "priority": score,
                }
            )
    word = "high" if score >= HIGH else "medium" if score >= MEDIUM else "low"
    counted = ", ".join(f"{line.what} {CONFIDENCE[line.status]:g}" for line in found)
    return pd.DataFrame(steps), (
        f"Priority {score:.1f}, which is {word} (from {MEDIUM:g} medium, from {HIGH:g} high: a rule of thumb). "
        f"Confidence is the mean of {counted}."
    )
