"""What the model brings in money, its interval and what that rests on; or that nobody has said what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab2live.charter.schema import Value
from lab2live.handoff.people.findings import NOT_RUN, Findings
from lab2live.poc.worth.returns import Option, Range, Returns
from lab2live.poc.worth.sensitivity import Lever, Sensitivity, kill_sentence
from lab2live.poc.worth.telling_money import break_even_sentence, returns_sentence
from lab2live.reporting.formatting import short

# Field of the charter -> how it is said.
STATED = {
    "cases_per_month": "cases a month",
    "capacity_per_month": "cases a month that can be acted on",
    "build_cost": "to build it",
    "run_cost_per_month": "a month to run it",
    "horizon_months": "months looked at",
    "cost_per_unit_under": "for every unit that the answer is too low",
    "cost_per_unit_over": "for every unit that the answer is too high",
}
OUTCOMES = {
    "true_positive": "acting on a case that turns out so",
    "false_positive": "acting on a case in vain",
    "false_negative": "missing a case",
    "true_negative": "rightly leaving a case alone",
}
COUNTED = ("cases_per_month", "capacity_per_month", "horizon_months")


def told(found: Findings) -> list[str]:
    """Say what the model brings, in sentences."""
    kept = found.found("poc", "returns")
    if not isinstance(kept, Mapping):
        return [f"What it brings is not known: {NOT_RUN.lower()}"]
    earned = read(kept)
    if not earned.options:
        return [f"What it brings in money is not known. {earned.lacking}"]
    said = [returns_sentence(earned)]
    if earned.break_even is not None:
        said.append(break_even_sentence(earned))
    said.append(
        "In brackets stands where it lies in nine of ten repetitions with the cases drawn anew: that is the luck of "
        "the cases, not an error in what was assumed."
    )
    levers = found.found("poc", "sensitivity")
    if isinstance(levers, Mapping) and levers.get("levers"):
        said.append(kill_sentence(_levers(levers)))
    return said


def rests_on(value: Value) -> list[str]:
    """List what the charter assumes about money; measured is none of it."""
    said = []
    if value.per_case is not None:
        for name, worth in value.per_case:
            said.append(f"{short(worth)} {value.currency} for {OUTCOMES[name]}")
    if value.cost_matrix is not None:
        said.append("a cost for every outcome and every decision (cost_matrix in the charter)")
    stated = {words: (name, getattr(value, name)) for name, words in STATED.items()}
    stated["for a case that a person decides"] = ("review", value.review.cost_per_case)
    for words, (name, number) in stated.items():
        if number is not None:
            said.append(f"{short(number)}{'' if name in COUNTED else ' ' + value.currency} {words}")
    return said


def read(kept: Mapping[str, Any]) -> Returns:
    """Read what `Returns.as_dict` gave, without the curve."""
    ranges = {
        name: None if kept.get(name) is None else Range(**kept[name])
        for name in ("gain_per_case", "gain_per_month", "net", "roi", "break_even")
    }
    plain = {name: kept.get(name) for name in ("against", "horizon", "invested", "positive", "lacking")}
    options = tuple(_option(option) for option in kept["options"])
    return Returns(kept["currency"], kept["problem"], options, **plain, **ranges)  # type: ignore[arg-type]


def _option(kept: Mapping[str, Any]) -> Option:
    per_month, unshifted = (None if kept[name] is None else Range(**kept[name]) for name in ("per_month", "plain"))
    return Option(kept["name"], kept["title"], kept["decides"], Range(**kept["per_case"]), per_month, unshifted)


def _levers(kept: Mapping[str, Any]) -> Sensitivity:
    return Sensitivity(**{**kept, "levers": tuple(Lever(**lever) for lever in kept["levers"])})
