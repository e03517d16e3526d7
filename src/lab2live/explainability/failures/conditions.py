"""Kinds of cases in plain words: `contract is 'monthly'`, `bill is 80 EUR or more`, `age is not known`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live import columns as roles
from lab2live.columns import Columns
from lab2live.words import short

# Cuts of a number: at its tenths. Conditions in all columns together, since pairs of them are looked at: a table with
# hundreds of columns gets fewer cuts per column.
CUTS, MOST_CONDITIONS = 9, 600
# The smallest share of cases that a condition, or a pair of them, may hold for.
SMALLEST = 0.01


@dataclass(frozen=True)
class Conditions:
    """What can be said of cases.

    Attributes
    ----------
    columns, texts
        Per condition: the column it is about, and its words.
    holds
        Whether it holds, shape (rows, conditions).
    """

    columns: tuple[str, ...]
    texts: tuple[str, ...]
    holds: np.ndarray


def conditions(raw: pd.DataFrame, columns: Columns, units: Mapping[str, str] | None = None) -> Conditions:
    """List what can be said of some cases.

    Parameters
    ----------
    raw
        The cases in their own columns and units, see `cases.Dataset`.
    columns
        What the model sees of them.
    units
        By column, as the charter states them.
    """
    cuts = int(np.clip(MOST_CONDITIONS // (3 * max(len(columns.kinds), 1)), 1, CUTS))
    found: list[tuple[str, str, np.ndarray]] = []
    for name, kind in columns.kinds.items():
        if kind == "category":
            said = _levels(raw[name], columns.levels[name])
        else:
            numbers = roles.as_days(raw[name]) if kind == "date" else roles.as_numbers(raw[name])
            unit = (units or {}).get(name, "")
            said = _cut(numbers, cuts, kind == "date", f" {unit}" if unit else "")
        missing = raw[name].isna().to_numpy()
        found += [(name, f"{name} {text}", mask) for text, mask in {**said, "is not known": missing}.items()]
    most = (1 - SMALLEST) * len(raw)
    kept = [one for one in found if SMALLEST * len(raw) <= one[2].sum() <= most and one[2].any()][:MOST_CONDITIONS]
    holds = np.column_stack([mask for *_, mask in kept]) if kept else np.zeros((len(raw), 0), dtype=bool)
    return Conditions(tuple(name for name, *_ in kept), tuple(text for _, text, _ in kept), holds)


def _levels(column: pd.Series, levels: tuple[str, ...]) -> dict[str, np.ndarray]:
    labels = column.map(roles.label, na_action="ignore").to_numpy(dtype=object)
    return {f"is '{level}'": labels == level for level in levels if level not in (roles.MISSING, roles.OTHER)}


def _cut(numbers: np.ndarray, cuts: int, dates: bool, unit: str) -> dict[str, np.ndarray]:
    """Say of a number where it lies: below or above a cut, or between two neighbouring ones."""
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return {}
    edges = np.unique(np.quantile(known, np.linspace(0, 1, cuts + 2)[1:-1], method="nearest"))
    edges = edges[edges > known.min()]

    def said(edge: float) -> str:
        return roles.day(edge) if dates else f"{short(edge, 4)}{unit}"

    below, more = ("before", "or later") if dates else ("below", "or more")
    found = {}
    with np.errstate(invalid="ignore"):
        for edge in edges:
            found[f"is {below} {said(edge)}"] = numbers < edge
            found[f"is {said(edge)} {more}"] = numbers >= edge
        for low, high in itertools.pairwise(edges):
            found[f"is {said(low)} to {below} {said(high)}"] = (low <= numbers) & (numbers < high)
    return found
