"""Says what would flip the model's output: in sentences, as a table, and for how many cases there is an answer.

All of it is about the model. What a customer would do after such a change, nobody has measured.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data.intervals import wilson
from lab2live.explainability.flips.moves import Predict, Space
from lab2live.explainability.flips.search import Change, Flip, Flips, search
from lab2live.explainability.sides import Sides
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import agree, amount, is_missing, minus, number

# Differences to a real case that are told: it differs in nearly every number a little.
TOLD = 3
# Digits of a value: so many that a small change is still seen.
DIGITS = 6


def sentences(flips: Flips, sides: Sides) -> list[str]:
    """Say what would flip the output about one case.

    Parameters
    ----------
    flips
        See `search.search`.
    sides
        See `Space.sides`.

    Returns
    -------
    list of str
        The smallest change, the most typical one if that is another, the nearest real case; or why there is none.
    """
    return [*([flips.reason] if flips.reason else []), *(text for _, _, text in options(flips, sides))]


def options(flips: Flips, sides: Sides) -> list[tuple[str, Flip, str]]:
    """Give what was found with a title and a sentence each: what is the same twice is given once."""
    found = []
    if flips.smallest is not None:
        text = f"{_would_change(flips, flips.smallest, sides)} if {_if_were(flips.smallest.changes)}."
        found.append(("Smallest change", flips.smallest, text))
    if flips.typical is not None and _changes(flips.typical) != _changes(flips.smallest):
        text = (
            f"{_would_change(flips, flips.typical, sides)} if {_if_were(flips.typical.changes)}. "
            "Of all changes of as few columns, the case would then be most like real ones with another output."
        )
        found.append(("Most typical change", flips.typical, text))
    if flips.real is not None:
        found.append(("Nearest real case", flips.real, _real(flips.real, sides)))
    return found


def table(found: Sequence[Flips], sides: Sides, names: Sequence[str]) -> list[dict[str, str]]:
    """Give a row per case, for `report.table`.

    Parameters
    ----------
    found, names
        What was found for each case, and how the case is called.
    sides
        See `Space.sides`.
    """
    return [
        {
            "case": name,
            "output now": _output(one, sides),
            "smallest change": _cell(one.smallest, sides) or one.reason,
            "most typical change": (
                "the same"
                if one.typical and _changes(one.smallest) == _changes(one.typical)
                else _cell(one.typical, sides) or "none"
            ),
            "nearest real case": _cell(one.real, sides) or "none",
        }
        for name, one in zip(names, found, strict=True)
    ]


def search_all(space: Space, predict: Predict, rows: pd.DataFrame) -> list[Flips]:
    """Search for every row of the joined table, see `search.search`."""
    return [search(space, predict, {str(name): row[name] for name in row}) for row in rows.to_dict("records")]


def found_share(space: Space, found: Sequence[Flips]) -> Evidence:
    """Give the share of cases for which a change was found, and say it with a 95 % interval (Wilson 1927).

    `None` and why where nothing can flip.
    """
    if space.sides.nothing:
        return Evidence(None, space.sides.nothing)
    if not space.moves:
        return Evidence(
            None, "No column may change: all are immutable, sensitive, derived or say nothing about a case."
        )
    if not found:
        return Evidence(None, "There is no held-back case to try it on.")
    flipped = [one for one in found if one.smallest is not None]
    low, high = wilson(np.array(len(flipped)), np.array(len(found)))
    says = (
        f"For {len(flipped):,} of {amount(len(found), 'held-back case')} a change of at most three columns was found "
        f"after which the model's output is another one (95 % interval {low:.0%} to {high:.0%})."
    )
    if flipped:
        columns = sum(len(one.smallest.changes) for one in flipped if one.smallest is not None) / len(flipped)
        average = number(columns, 2)  # as it is read: 1.02 reads 1
        says += f" The smallest one takes {average} {agree(float(average), 'column', 'columns')} on average."
    return Evidence(len(flipped) / len(found), says)


def _changes(flip: Flip | None) -> list[tuple[str, Any]] | None:
    # without what was before: a missing value does not equal itself
    return None if flip is None else [(one.column, one.after) for one in flip.changes]


def _would_change(flips: Flips, flip: Flip, sides: Sides) -> str:
    says = f"The model's output would change from {_output(flips, sides)} to {_output(flip, sides)}"
    return says + (f", past {number(sides.line)}," if sides.problem == "regression" else "")


def _output(one: Flip | Flips, sides: Sides) -> str:
    return minus(sides.named(one.answer))


def _if_were(changes: Sequence[Change]) -> str:
    return _listed([f"{one.column} were {said(one.after)} instead of {said(one.before)}" for one in changes])


def _real(flip: Flip, sides: Sides) -> str:
    parts = [f"{one.column} ({said(one.after)} instead of {said(one.before)})" for one in flip.changes[:TOLD]]
    more = len(flip.changes) - TOLD
    if more > 0:
        parts.append(f"{more} more")
    differs = f"differs in {_listed(parts)}" if parts else "does not differ in anything that can change"
    also = f"; it also differs in {_listed(list(flip.also))}, which cannot change" if flip.also else ""
    return f"The nearest real case with another output, {_output(flip, sides)}, {differs}{also}."


def _cell(flip: Flip | None, sides: Sides) -> str:
    if flip is None:
        return ""
    parts = [f"{one.column}: {said(one.before)} → {said(one.after)}" for one in flip.changes[:TOLD]]
    more = len(flip.changes) - TOLD
    return f"{_output(flip, sides)}: {'; '.join(parts)}" + (f"; {more} more" if more > 0 else "")


def said(value: Any) -> str:
    """Write a value of the joined table in a sentence: text in quotes, days as 2024-12-31, what is empty as missing."""
    if is_missing(value):
        return "missing"
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    if isinstance(value, str):
        return f"'{value}'"
    return number(value, DIGITS)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
