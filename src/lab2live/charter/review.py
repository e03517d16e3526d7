"""Should you start? Which questions of the charter are open, whether it is feasible, and what comes first (B1-B4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import product

from lab2live.charter.gates import Status
from lab2live.charter.schema import TYPES, Answer, Charter
from lab2live.charter.yaml import read_yaml
from lab2live.errors import UserError

BUSINESS = {
    "customer_experience": ("B1", "Does it enhance customer experience? How is that measured?"),
    "return_on_investment": ("B2", "Does it add value and justify the return on investment?"),
    "process_improvement": ("B3", "Will it improve current processes, bring efficiencies, yield a cost benefit?"),
}
# Less time than this for a project that is not in production yet is little.
LITTLE_TIME = 30


@dataclass(frozen=True)
class Question:
    """Something the charter does not answer yet."""

    requirement: str
    text: str
    field: str


@dataclass(frozen=True)
class Line:
    """One line of the feasibility check."""

    status: Status
    text: str


def unanswered(charter: Charter) -> list[Question]:
    """List what the charter leaves open, in the order of the requirements."""
    value, prediction, doubt = charter.business.value, charter.prediction, _trivial(charter)
    checks: list[tuple[object, str, str, str]] = []
    for name, (requirement, text) in BUSINESS.items():
        answer: Answer = getattr(charter.business, name)
        gaps = [part for part in ("answer", "measure", "unit", "current", "target") if getattr(answer, part) is None]
        checks.append((not gaps, requirement, text, f"business.{name}: {', '.join(gaps)}"))
    has_money = value.per_case or value.cost_matrix or value.cost_per_unit_under is not None
    described = [item for source in charter.sources for item in source.columns.items()]
    dated = [name for name, column in described if TYPES.get(column.type or "") == "date"]
    undecided = [name for name in dated if name not in prediction.immutable]
    when = f"Does {' or '.join(undecided)} say when a case was recorded, so that the model is tested on the future?"
    checks += [
        (has_money, "B2", "What is a right and a wrong prediction worth?", "business.value"),
        (not doubt, "B2", doubt, "business.value"),
        (value.cases_per_month, "B3", "How many cases are decided per month?", "business.value.cases_per_month"),
        (charter.feasibility.deadline, "B4", "By when is it needed?", "feasibility.deadline"),
        (charter.feasibility.skills, "B4", "Which skills does it take?", "feasibility.skills"),
        (prediction.required_score is not None, "P1", "Which score would be good enough?", "prediction.required_score"),
        (charter.fallback, "L1", "What answers when the model cannot?", "fallback"),
        (prediction.time_column or not undecided, "L2", when, "prediction.time_column (or immutable, if not)"),
        (any(one.critical for one in charter.sources), "L4a", "Which attributes are critical?", "sources: critical"),
        (charter.deployment.target, "L5", "Where and how will the model run?", "deployment"),
        (any(member.who for member in charter.team.values()), "T4", "Who owns which part?", "team"),
    ]
    for source in charter.sources:
        checks.append((source.owner, "G1", f"Who owns the source {source.name}?", f"sources ({source.name}): owner"))
    return [Question(*rest) for answered, *rest in checks if not answered]


def _trivial(charter: Charter) -> str:
    """Ask about payoffs whose signs decide every case alike, whatever the model says; empty if they do not."""
    value = charter.business.value
    if value.per_case is not None:
        right = value.per_case.true_positive - value.per_case.false_negative
        wrong = value.per_case.false_positive - value.per_case.true_negative
        if right >= 0 and wrong >= 0:
            return "Acting is never worse than not acting, so no model is needed. Does a cost lack its minus sign?"
        if right <= 0 and wrong <= 0:
            return "Acting never pays, so no model is needed. Does a gain stand with a minus sign?"
        if right < 0:
            return "Acting pays on all but the positive class. Is `positive_class` the class to act on?"
    costs = value.cost_matrix or []
    if any(
        all(cost <= min(row) for cost, row in zip(column, costs, strict=True)) for column in zip(*costs, strict=False)
    ):
        return "One decision is the cheapest for every true class, so no model is needed. Is `cost_matrix` in costs?"
    if value.cost_per_unit_under == value.cost_per_unit_over == 0:
        return "Predicting too little or too much costs nothing, so no model is needed. What does it cost?"
    return ""


def payoffs(charter: Charter) -> list[str]:
    """Say what decisions are worth, as sentences for somebody of the business to confirm; empty if nobody has said."""
    value, prediction = charter.business.value, charter.prediction
    unit, target = value.currency, prediction.target

    def worth(money: float) -> str:
        verb = "brings" if money > 0 else "costs"
        return f"{verb} {abs(money):,.10g} {unit}" if money else "changes nothing"

    if value.per_case is not None:
        positive = "the rarer class" if prediction.positive_class is None else prediction.positive_class
        kinds = product(("Acting", "Not acting"), ("is", "is not"))  # the order of the fields of `per_case`
        return [
            f"{act} on a case where `{target}` {verb} {positive} {worth(money)}."
            for (act, verb), (_, money) in zip(kinds, value.per_case, strict=True)
        ]
    sides = (("little", value.cost_per_unit_under), ("much", value.cost_per_unit_over))
    return [f"Predicting `{target}` one unit too {side} {worth(-cost)}." for side, cost in sides if cost is not None]


def feasibility(charter: Charter, today: dt.date | None = None) -> list[Line]:
    """Say what stands in the way of starting: access to the sources, time, skills."""
    today = today or dt.date.today()
    lines = []
    for source in charter.sources:
        waited = f", asked for {(today - source.requested_on).days} days ago" if source.requested_on else ""
        state = "simulated" if source.is_open and not source.is_real else source.access
        where = f"{source.name}: {state}{'' if source.is_open else waited}"
        chase = f"Chase {source.owner or 'whoever owns it'}."
        status: Status = "warn" if not source.is_real else "pass" if source.is_open else "fail"
        rest = {"pass": ".", "warn": "; you can start on the stand-in. ", "fail": ", and there is no stand-in. "}
        lines.append(Line(status, where + rest[status] + ("" if status == "pass" else chase)))
    skills = ", ".join(charter.feasibility.skills)
    return [*lines, time_left(charter, today), Line("pass" if skills else "skip", f"Skills: {skills or 'not stated'}.")]


def time_left(charter: Charter, today: dt.date | None = None) -> Line:
    """Hold the deadline against today and the sources still waited for: the one rule for command and gate.

    The exact number of days is not told: it would make two runs of the same thing differ.
    """
    deadline = charter.feasibility.deadline
    if deadline is None:
        return Line("skip", "No deadline stated (feasibility.deadline).")
    days = (deadline - (today or dt.date.today())).days
    if days <= 0:
        return Line("fail", f"The deadline {deadline} is over.")
    waiting = [source.name for source in charter.sources if source.access in ("requested", "refused")]
    wait = f"; {', '.join(waiting)} still waited for" if waiting else ""
    left = f"{'Less' if days < LITTLE_TIME else 'More'} than a month until the deadline {deadline}{wait}."
    return Line("warn" if days < LITTLE_TIME or waiting else "pass", left)


def lessons(charter: Charter) -> list[str]:
    """Read what other projects learnt (G3), from the `lessons.yaml` files that the charter names."""
    found: list[str] = []
    for name in charter.project.lessons:
        path = charter.folder / name
        try:
            content = read_yaml(path.read_text(encoding="utf-8"), path) or []  # an empty file has no lessons yet
            content = content if isinstance(content, dict) else {"lessons": content}
            entries = content["lessons"] or []
            if not isinstance(entries, list):
                raise ValueError("no list of lessons")
        except (OSError, ValueError, KeyError) as error:
            problem, fix = "The lessons of another project cannot be read.", "correct it, or project.lessons"
            raise UserError(problem, where=path, found=error, fix=fix) from None
        found += [f"{content.get('project', name)}: {entry}" for entry in entries]
    return found
