"""Should you start? Which questions of the charter are open, whether it is feasible, and what comes first (B1-B4)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import yaml

from lab2live.charter.loading import load_yaml
from lab2live.charter.schema import TYPES, Answer, Charter
from lab2live.errors import UserError


@dataclass(frozen=True)
class Question:
    """Something the charter does not answer yet."""

    requirement: str
    text: str
    field: str


@dataclass(frozen=True)
class Line:
    """One line of the feasibility check."""

    status: Literal["pass", "warn", "fail", "skip"]
    text: str


BUSINESS = {
    "customer_experience": ("B1", "Does it enhance customer experience? How is that measured?"),
    "return_on_investment": ("B2", "Does it add value and justify the return on investment?"),
    "process_improvement": ("B3", "Will it improve current processes, bring efficiencies, yield a cost benefit?"),
}


def unanswered(charter: Charter) -> list[Question]:
    """List what the charter leaves open, in the order of the requirements."""
    found = []
    for name, (requirement, text) in BUSINESS.items():
        answer: Answer = getattr(charter.business, name)
        if not answer.complete:
            gaps = [part for part in ("answer", "measure", "current", "target") if getattr(answer, part) is None]
            found.append(Question(requirement, text, f"business.{name}: {', '.join(gaps)}"))
    value, prediction = charter.business.value, charter.prediction
    has_money = value.per_case or value.cost_matrix or value.cost_per_unit_under is not None
    dated = [
        name
        for source in charter.sources
        for name, column in source.columns.items()
        if TYPES.get(column.type or "") == "date"
    ]
    undecided = [name for name in dated if name not in prediction.immutable]
    checks: list[tuple[object, str, str, str]] = [
        (has_money, "B2", "What is a right and a wrong prediction worth?", "business.value"),
        (value.cases_per_month, "B3", "How many cases are decided per month?", "business.value.cases_per_month"),
        (charter.feasibility.deadline, "B4", "By when is it needed?", "feasibility.deadline"),
        (charter.feasibility.skills, "B4", "Which skills does it take?", "feasibility.skills"),
        (prediction.required_score is not None, "P1", "Which score would be good enough?", "prediction.required_score"),
        (charter.fallback, "L1", "What answers when the model cannot?", "fallback"),
        (
            prediction.time_column or not undecided,
            "L2",
            f"Does {' or '.join(undecided)} say when a case was recorded, so that the model is tested on the future?",
            "prediction.time_column (or immutable, if not)",
        ),
        (
            any(source.critical for source in charter.sources),
            "L4a",
            "Which attributes are critical?",
            "sources: critical",
        ),
        (charter.deployment.target, "L5", "Where and how will the model run?", "deployment"),
        (any(member.who for member in charter.team.values()), "T4", "Who owns which part?", "team"),
    ]
    checks += [
        (source.owner, "G1", f"Who owns the source {source.name}?", f"sources ({source.name}): owner")
        for source in charter.sources
    ]
    return found + [Question(*rest) for answered, *rest in checks if not answered]


def feasibility(charter: Charter, today: dt.date | None = None) -> list[Line]:
    """Say what stands in the way of starting: access to the silos, time, skills."""
    today = today or dt.date.today()
    lines = []
    for source in charter.sources:
        waited = (today - source.requested_on).days if source.requested_on else None
        since = f", asked for {waited} days ago" if waited is not None and source.access != "granted" else ""
        chase = f" Chase {source.owner or 'whoever owns it'}."
        if not source.is_real:
            state = "simulated" if source.access == "granted" else source.access
            lines.append(Line("warn", f"{source.name}: {state}{since}; you can start on the stand-in.{chase}"))
        elif source.access == "granted":
            lines.append(Line("pass", f"{source.name}: granted."))
        else:
            lines.append(Line("fail", f"{source.name}: {source.access}{since}, and there is no stand-in.{chase}"))
    deadline = charter.feasibility.deadline
    if deadline is None:
        lines.append(Line("skip", "No deadline stated."))
    else:
        days = (deadline - today).days
        lines.append(
            Line(
                "pass" if days > 0 else "fail",
                f"Deadline {deadline}: " + (f"{days} days left." if days > 0 else "over."),
            )
        )
    skills = ", ".join(charter.feasibility.skills)
    lines.append(Line("pass" if skills else "skip", f"Skills: {skills or 'not stated'}."))
    return lines


def priority(charter: Charter) -> list[str]:
    """Show the arithmetic behind the priority: the most a perfect model could earn against what it costs.

    Returns
    -------
    list of str
        One step a line; or what is missing for it.
    """
    value = charter.business.value
    answer = charter.business.return_on_investment
    gain = answer.target - answer.current if answer.target is not None and answer.current is not None else None
    if gain is None or value.build_cost is None or not value.horizon_months:
        return ["Cannot be computed: state return_on_investment current and target, build_cost and horizon_months."]
    running = (value.run_cost_per_month or 0) * value.horizon_months
    cost = value.build_cost + running
    hoped = gain * value.horizon_months
    unit, months = value.currency, value.horizon_months
    lines = [
        f"hoped for: {gain:,.0f} {unit} a month more x {months:g} months = {hoped:,.0f} {unit}",
        f"costs: {value.build_cost:,.0f} to build + {running:,.0f} to run = {cost:,.0f} {unit}",
    ]
    if cost <= 0:
        return [*lines, "No cost stated, so there is no ratio."]
    ratio = hoped / cost
    word = "high" if ratio >= 3 else "medium" if ratio >= 1 else "low: it costs more than it is hoped to bring"
    return [*lines, f"ratio {ratio:.1f}: priority {word} (from 3 high, from 1 medium: a rule of thumb)"]


def lessons(charter: Charter) -> list[str]:
    """Read what other projects learnt (G3), from the `lessons.yaml` files that the charter names."""
    found = []
    for name in charter.project.lessons:
        path = charter.folder / name
        try:
            content = load_yaml(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UserError(
                "The lessons of another project cannot be read.",
                where=path,
                found=error,
                fix="correct project.lessons in the charter",
            ) from None
        entries = content.get("lessons", content) if isinstance(content, dict) else content
        entries = [] if entries is None else entries  # an empty file has no lessons yet
        if not isinstance(entries, list):
            raise UserError(
                "The lessons of another project cannot be read.",
                where=path,
                expected="`lessons:` with a list below it",
                fix="correct that file, or project.lessons in the charter",
            )
        project = content.get("project", name) if isinstance(content, dict) else name
        found += [f"{project}: {entry}" for entry in entries]
    return found
