"""Reasons in words and pictures: `contract is 'monthly': +12 points; tenure is 3 months: +6 points`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.explainability.why.contributions import Reasons
from lab2live.explainability.why.families import Family
from lab2live.explainability.why.points import tally
from lab2live.reporting import formatting, plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST = 40  # letters of a value, beyond which it is cut
NEARLY = 1e-12
# Of a waterfall of probabilities that leaves 0 to 100 % on its way, by more than floats are off.
SLACK, BEYOND = 1e-6, "added up one by one: only their sum is a probability"


@dataclass(frozen=True)
class Scale:
    """How answers and reasons are written.

    Attributes
    ----------
    factor
        100 where the model answers in probabilities, which are told in points; else 1.
    unit
        Of a reason: `points`, or the unit of the target, empty if nobody has stated it.
    """

    factor: float
    unit: str

    def reason(self, value: float, decimals: int) -> str:
        """Write a reason: `+12 points`."""
        text = f"{abs(value):,.{decimals}f}"
        sign = "±" if not float(text.replace(",", "")) else "+" if value > 0 else "−"
        unit = "point" if text == "1" and self.unit == "points" else self.unit
        return f"{sign}{text}{f' {unit}' if unit else ''}"

    def answer(self, value: float, decimals: int) -> str:
        """Write an answer: `92 %`."""
        if self.factor == 100:
            # a model's probability is never quite 0 or 1: what stands there as one was rounded
            return formatting.chance(min(max(value / 100, NEARLY), 1 - NEARLY), decimals)
        text = formatting.minus(f"{value:,.{decimals}f}")
        return f"{text} {self.unit}" if self.unit else text

    def alone(self, value: float) -> str:
        """Write a reason that stands alone, to two digits."""
        _, (rounded,), _, decimals = tally(0, [value], value)
        return self.reason(rounded, decimals)

    @property
    def measured(self) -> str:
        """Say what reasons are measured in, for a table or an axis."""
        return (
            "points of probability"
            if self.factor == 100
            else f"in {self.unit}"
            if self.unit
            else "in the unit of the target"
        )


@dataclass(frozen=True)
class Case:
    """One answer with its reasons, for reading: rounded so that it still adds up.

    Attributes
    ----------
    start, answer
        Of a case about which nothing is known, and of this one: percent, or the target's unit.
    meaning
        What the answer is about: the name of a class; empty for a regression.
    reasons
        What is named, strongest first, the last one perhaps all other columns together; and what each adds.
    decimals
        To be shown.
    """

    title: str
    start: float
    answer: float
    meaning: str
    reasons: tuple[tuple[str, float], ...]
    decimals: int


def units(charter: Charter) -> dict[str, str]:
    """Give the units that the charter states, by column."""
    return {name: column.unit for source in charter.sources for name, column in source.columns.items() if column.unit}


def scale(charter: Charter, data: Dataset) -> Scale:
    """Say how the answers to a data set are written."""
    if data.classes:
        return Scale(100, "points")
    return Scale(1, units(charter).get(charter.prediction.target, ""))


def shown(value: object, unit: str = "") -> str:
    """Write a value the way a person would say it."""
    if formatting.is_missing(value):
        return "not known"
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    text = formatting.number(value)
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    if isinstance(value, str):
        return f"'{text}'"
    return f"{text} {unit}" if unit else text


def fact(family: Family, row: Mapping[Any, Any], units: Mapping[str, str]) -> str:
    """Say what is known of a case in one family of columns: `bill is 95 EUR (with yearly_bill)`.

    Parameters
    ----------
    row
        The case in its own units, by column: a row of `Dataset.raw`, or what somebody typed into a form.
    """
    said = ", ".join(f"{name} is {shown(row.get(name), units.get(name, ''))}" for name in family.sources)
    others = [name for name in family.members if name not in family.sources]
    return said + (f" (with {', '.join(others)})" if others else "")


def case(
    reasons: Reasons,
    number: int,
    families: Sequence[Family],
    row: Mapping[Any, Any],
    units: Mapping[str, str],
    scale: Scale,
    classes: Sequence[str] = (),
    *,
    title: str = "This case",
    top: int = 6,
) -> Case:
    """Put one answer and its reasons into words.

    Parameters
    ----------
    reasons
        Of these families, see `Reasons.of_families`.
    number
        Which of its cases.
    families, row, units
        See `fact`.
    classes
        Of the data set; empty for a regression.
    top
        Reasons to name; the others are summed up in one line.
    """
    parts = scale.factor * reasons.points.to_numpy()[number]
    order = np.argsort(-np.abs(parts), kind="stable")
    # one that is left over is named: `1 other column` would say less in as many words
    named = order if len(order) <= top + 1 else order[:top]
    lines = [fact(families[place], row, units) for place in named]
    values = [float(parts[place]) for place in named]
    if len(named) < len(order):
        lines.append(f"{len(order) - len(named)} others")
        values.append(float(parts[order[top:]].sum()))
    start, answer = scale.factor * float(reasons.start[number]), scale.factor * float(reasons.answer[number])
    # probabilities are never told in tens, whatever the size of the reasons: 96 % would read 100
    start, values, answer, decimals = tally(start, values, answer, 0) if classes else tally(start, values, answer)
    code = int(reasons.output[number]) if len(classes) > 2 else -1
    meaning = str(classes[code]) if len(classes) else ""
    return Case(title, start, answer, meaning, tuple(zip(lines, values, strict=True)), decimals)


def telling(reasons: Reasons, data: Dataset) -> dict[str, int]:
    """Pick the cases that tell most: highest, middle and lowest answer; with several classes one of each of three.

    Returns
    -------
    dict
        Title -> which of the explained cases.
    """
    if data.problem == "multiclass":
        codes = np.unique(reasons.output)[:3]
        return {f"A case predicted {data.classes[code]}": int(np.argmax(reasons.output == code)) for code in codes}
    order = np.argsort(reasons.answer, kind="stable")
    picked = {"The highest answer": order[-1], "A typical answer": order[len(order) // 2]}
    return {title: int(number) for title, number in {**picked, "The lowest answer": order[0]}.items()}


def answered(case: Case, scale: Scale) -> str:
    """Write what the model says: `92 % yes`."""
    return f"{scale.answer(case.answer, case.decimals)} {case.meaning}".strip()


def sentence(case: Case, scale: Scale, most: int = 3) -> str:
    """Say the strongest reasons of one case; what is not named is summed up, so that the reader can add up."""
    named, rest = case.reasons[:most], case.reasons[most:]
    parts = [f"{what}: {scale.reason(value, case.decimals)}" for what, value in named]
    if rest:
        parts.append(f"all else: {scale.reason(sum(value for _, value in rest), case.decimals)}")
    start = scale.answer(case.start, case.decimals)
    return f"{answered(case, scale)}, from {start} when nothing is known: {'; '.join(parts)}."


def case_chart(case: Case, scale: Scale) -> Figure:
    """Draw the reasons of one case."""
    names, values = zip(*case.reasons, strict=True)
    title = f"{case.title}: {answered(case, scale)}"
    xlabel = f"what each column adds, {scale.measured}"
    if scale.factor != 100:
        return plots.contributions(names, values, case.start, case.answer, title, xlabel)
    ends = (scale.answer(case.start, case.decimals), scale.answer(case.answer, case.decimals))
    ways = case.start + np.cumsum(values)
    note = BEYOND if ways.min() < -SLACK or ways.max() > 100 + SLACK else ""
    return plots.contributions(names, values, case.start, case.answer, title, xlabel, ends, note)
