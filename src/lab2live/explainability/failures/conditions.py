"""Kinds of cases in plain words: `contract is 'monthly'`, `bill is 80 EUR or more`, `age is not known`."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.data import feature_types as roles
from lab2live.data.encoding import MISSING, OTHER, Columns, day, label
from lab2live.reporting.formatting import number

# Cuts of a number: at its tenths, and where a kind of cases is looked at closely. Conditions in all columns together,
# since pairs of them are looked at: a table with hundreds of columns gets fewer cuts per column.
CUTS, FINE_CUTS, MOST_CONDITIONS = 9, 79, 600
# The smallest share of cases that a condition, or a pair of them, may hold for.
SMALLEST = 0.01


@dataclass(frozen=True)
class Condition:
    """One thing that can be said of cases.

    Attributes
    ----------
    column
        What it is about.
    text
        In words, without the column: `is below 80 EUR`.
    low, high
        Of a number: its ends in words, where it has them.
    """

    column: str
    text: str
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Conditions:
    """What can be said of some cases.

    Attributes
    ----------
    each
        One or more per column.
    holds
        Whether it holds, shape (rows, conditions).
    """

    each: tuple[Condition, ...]
    holds: np.ndarray

    def words(self, members: Sequence[int]) -> str:
        """Say one condition, or two of them; both ends of one number are said together."""
        first, last = self.each[members[0]], self.each[members[-1]]
        if (
            first.column == last.column
            and {bool(first.low), bool(last.low)} == {True, False}
            and first.high + last.high
        ):
            low, high = (first, last) if first.low else (last, first)
            if high.high and not low.high:
                return f"{first.column} is {low.low} to {high.text.removeprefix('is ')}"
        return " and ".join(f"{one.column} {one.text}" for one in dict.fromkeys((first, last)))


def conditions(
    raw: pd.DataFrame, columns: Columns, units: Mapping[str, str] | None = None, only: Collection[str] | None = None
) -> Conditions:
    """List what can be said of some cases.

    Parameters
    ----------
    raw
        The cases in their own columns and units, see `cases.Dataset`.
    columns
        What the model sees of them.
    units
        By column, as the charter states them.
    only
        Columns to look at closely, with many cuts; all of them with a few cuts if left out.
    """
    names = list(columns.kinds) if only is None else [name for name in columns.kinds if name in only]
    cuts = int(np.clip(MOST_CONDITIONS // (3 * max(len(names), 1)), 1, CUTS)) if only is None else FINE_CUTS
    found: list[tuple[Condition, np.ndarray]] = []
    for name in names:
        kind, missing = columns.kinds[name], raw[name].isna().to_numpy()
        if kind == "category":
            found += _levels(name, raw[name], columns.levels[name])
        else:
            numbers = roles.as_days(raw[name]) if kind == "date" else roles.as_numbers(raw[name])
            unit = (units or {}).get(name, "")
            found += _cut(name, numbers, cuts, kind == "date", f" {unit}" if unit else "")
        found.append((Condition(name, "is not known"), missing))
    most = (1 - SMALLEST) * len(raw)
    kept = [one for one in found if max(SMALLEST * len(raw), 1) <= one[1].sum() <= most][:MOST_CONDITIONS]
    holds = np.column_stack([mask for _, mask in kept]) if kept else np.zeros((len(raw), 0), dtype=bool)
    return Conditions(tuple(condition for condition, _ in kept), holds)


def _levels(name: str, column: pd.Series, levels: tuple[str, ...]) -> list[tuple[Condition, np.ndarray]]:
    labels = column.map(label, na_action="ignore").to_numpy(dtype=object)
    told = [level for level in levels if level not in (MISSING, OTHER)]
    return [(Condition(name, f"is '{level}'"), labels == level) for level in told]


def _cut(name: str, numbers: np.ndarray, cuts: int, dates: bool, unit: str) -> list[tuple[Condition, np.ndarray]]:
    """Say of a number where it lies: below or above a cut, or between two neighbouring ones."""
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return []
    edges = np.unique(np.quantile(known, np.linspace(0, 1, cuts + 2)[1:-1], method="nearest"))
    edges = edges[edges > known.min()]
    below, more = ("before", "or later") if dates else ("below", "or more")

    def said(edge: float) -> str:
        return day(edge) if dates else f"{number(edge, 4)}{unit}"

    found = []
    with np.errstate(invalid="ignore"):
        for edge in edges:
            found.append((Condition(name, f"is {below} {said(edge)}", high=said(edge)), numbers < edge))
            found.append((Condition(name, f"is {said(edge)} {more}", low=said(edge)), numbers >= edge))
        for low, high in itertools.pairwise(edges) if cuts <= CUTS else ():
            between = Condition(name, f"is {said(low)} to {below} {said(high)}", said(low), said(high))
            found.append((between, (low <= numbers) & (numbers < high)))
    return found
