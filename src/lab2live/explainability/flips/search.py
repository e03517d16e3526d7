"""What would flip it (T2b): the smallest change of a case after which the model's output is another one.

A change is a counterfactual in the sense of Wachter et al. (2017): it says what the model would answer, not what the
customer would do. It is searched by a beam: all changes of one column first, then the most promising ones together with
another column, up to three. A whole round is asked of the model at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data.encoding import label
from lab2live.explainability.flips.changes import Changes
from lab2live.explainability.flips.moves import Predict, Space
from lab2live.explainability.sides import Sides
from lab2live.reporting.formatting import amount

# Columns changed at most: more is no answer that anybody could act on.
DEPTH = 3
# Changes asked of the model in one round beyond the first, and the fewest that a round goes on from.
ROUND, FEWEST_KEPT = 1000, 4
# The most typical change is the one nearest to this many real cases on the other side.
NEIGHBOURS = 5
# Changes that are compared for it, the smallest first.
COMPARED = 200
# Real cases that are asked again, in case a stored answer is no longer the model's.
ASKED_AGAIN = 3
NOTHING = np.array([[-1]])


@dataclass(frozen=True)
class Change:
    """One column that changes, as the joined table writes its values; `before` may be missing."""

    column: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Flip:
    """A case on the other side, validated with the model itself.

    Attributes
    ----------
    changes
        What differs from the case, the largest difference first. Derived columns are not listed: they follow.
    answer
        What the model says there, see `models.answer`: a number, or one per class.
    move
        The sum of the differences: ranks from 0 to 1 for numbers and dates, 1 for another category.
    row
        The whole case on the other side, derived columns included. Of a real case only the columns that may change.
    also
        Of a real case: the columns in which it differs too, and which cannot change.
    """

    changes: tuple[Change, ...]
    answer: Any
    move: float
    row: Mapping[str, Any]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flips:
    """What would flip the model's output about one case.

    Attributes
    ----------
    answer
        What the model says of the case as it is.
    smallest
        The fewest columns; among those the smallest move.
    typical
        As few columns; among those the one after which the case is nearest to real cases on the other side.
    real
        The nearest training case of which the model says the other thing, by the columns that may change. It is a
        comparison and no suggestion: what cannot change is not counted, and is listed where it differs.
    tried
        Changes asked of the model.
    reason
        Why there is no change; empty where there is one.
    """

    answer: Any
    smallest: Flip | None
    typical: Flip | None
    real: Flip | None
    tried: int
    reason: str = ""


def search(space: Space, predict: Predict, case: Mapping[str, Any], toward: str | None = None) -> Flips:
    """Search the smallest, the most typical and the nearest real change of one case.

    Parameters
    ----------
    space
        See `space.space`.
    predict
        What the model says of rows of the joined table, before the user's features.
    case
        Column of the joined table -> value; columns that are not there are missing.
    toward
        The class that the output shall become, by its name; without it any other one will do.

    Returns
    -------
    Flips
        Without changes and with a reason where nothing can flip or nothing was found.

    Raises
    ------
    UserError
        If there is no class called `toward`.
    """
    sides = space.sides
    goal = None if toward is None else sides.find(toward)
    changes = Changes.of(space, case)
    if sides.nothing:
        return Flips(np.asarray(predict(changes.apply(NOTHING)[0]))[0], None, None, None, 0, sides.nothing)
    # the case, its nearest references and all changes of one column are one batch
    rows, steps = changes.apply(np.vstack([NOTHING, changes.free[:, None]]))
    near = _near(changes)
    said = np.asarray(predict(_stacked(rows, space.references.iloc[near])))
    asked, said_again = said[: len(rows)], said[len(rows) :]
    now, own = asked[0], int(sides.code(asked[:1])[0])
    if own == goal:
        return Flips(now, None, None, None, 0, f"There is nothing to flip: the output is already {sides.named(now)}.")
    real = _real(changes, said_again, near, _flipped(sides, said_again, own, goal))
    rows, steps, asked, tried = rows.iloc[1:], steps[1:], asked[1:], 0
    for depth in range(1, DEPTH + 1):
        if depth > 1:
            kept = max(ROUND // max(len(changes.free), 1), FEWEST_KEPT)
            ahead = sides.ahead(asked, own, goal)
            rows, steps = changes.apply(changes.further(changes.pick(steps, ahead, kept)))
            asked = np.asarray(predict(rows)) if len(rows) else asked[:0]
        tried += len(rows)
        valid = np.flatnonzero(_flipped(sides, asked, own, goal))
        if len(valid):
            valid = valid[np.argsort(changes.size(steps[valid]), kind="stable")][:COMPARED]
            others = np.flatnonzero(space.codes == goal if goal is not None else space.codes != own)
            apart = changes.distance(steps[valid], others if len(others) else np.arange(len(space.codes)), NEIGHBOURS)
            smallest, typical = (
                _flip(changes, rows.iloc[place], steps[place], asked[place])
                for place in (valid[0], valid[int(apart.argmin())])
            )
            return Flips(now, smallest, typical, real, tried)
        if not len(rows):
            break
    return Flips(now, None, None, real, tried, _none_found(space, tried))


def _stacked(rows: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Put real cases below; a column that is held differently in both, e.g. all missing in one, keeps its values."""
    if list(rows.dtypes) != list(others.dtypes):
        for name in [name for name in rows if rows[name].dtype != others[name].dtype]:
            numbers = rows[name].dtype.kind in "iuf" and others[name].dtype.kind in "iuf"
            as_both = float if numbers else object
            rows, others = rows.astype({name: as_both}), others.astype({name: as_both})
    return pd.concat([rows, others], ignore_index=True)


def _flipped(sides: Sides, answers: np.ndarray, own: int, goal: int | None) -> np.ndarray:
    code = sides.code(answers)
    known = np.isfinite(answers) if answers.ndim == 1 else np.isfinite(answers).all(axis=1)
    return np.asarray(known & (code == goal if goal is not None else code != own))


def _near(changes: Changes) -> np.ndarray:
    """Give the places of the nearest references of every side, the nearest first; none where they must not be shown."""
    code = changes.space.codes
    if changes.space.hidden:
        return np.array([], dtype=int)
    order = np.argsort(changes.gaps.sum(axis=0), kind="stable")
    places = [order[code[order] == side][:ASKED_AGAIN] for side in np.unique(code)]
    taken = np.concatenate(places) if places else np.array([], dtype=int)
    return order[np.isin(order, taken)]


def _real(changes: Changes, answers: np.ndarray, near: np.ndarray, flipped: np.ndarray) -> Flip | None:
    """Compare the case with the nearest reference of which the model says the other thing now."""
    if not flipped.any():
        return None
    first = int(np.flatnonzero(flipped)[0])
    space, place = changes.space, int(near[first])
    row, gaps = space.references.iloc[place], changes.gaps[:, place]
    columns = [space.moves[number].column for number in np.argsort(-gaps, kind="stable") if gaps[number] > 0]
    also = tuple(name for name in space.context if label(row[name]) != label(changes.own(name)))
    values = {move.column: row[move.column] for move in space.moves}
    made = tuple(Change(name, changes.own(name), row[name]) for name in columns)
    return Flip(made, answers[first], float(gaps.sum()), values, also)


def _flip(changes: Changes, row: pd.Series, steps: np.ndarray, answer: Any) -> Flip:
    """Say what a change consists of."""
    order = steps[np.argsort(-changes.sizes[steps], kind="stable")]
    columns = [changes.space.moves[place].column for place in changes.space.steps.column[order]]
    made = tuple(Change(name, changes.own(name), row[name]) for name in columns)
    return Flip(made, answer, float(changes.sizes[steps].sum()), {str(name): value for name, value in row.items()})


def _none_found(space: Space, tried: int) -> str:
    if not space.moves:
        return "None found: no column may change."
    return (
        f"None found: of {amount(tried, 'change')} of up to {DEPTH} of the "
        f"{amount(len(space.moves), 'column')} that may change, none gives another output."
    )
