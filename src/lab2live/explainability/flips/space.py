"""Makes the space in which changes are searched: from the charter, the training part and the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, did_you_mean
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import Kind, label
from lab2live.data.feature_types import as_days, as_numbers, roles
from lab2live.errors import UserError
from lab2live.explainability.derived import Formula, formulas, reading
from lab2live.explainability.flips.moves import Moves, Predict, Space, held
from lab2live.explainability.sides import Sides
from lab2live.pipeline import hooks

# Values tried per number; of a category all that are told apart.
STEPS, FEWEST_STEPS = 12, 3
# Values tried in all columns together: a table with hundreds of columns gets fewer per column.
MOST_STEPS = 600
# The lowest and the highest share of training cases at which a number is tried: beyond lie typos and sentinels.
EDGE = 0.01
# Training cases that travel along, and cells: a wide table gets fewer of them.
REFERENCES, MOST_CELLS = 500, 50_000
# Training cases that are asked before the references are drawn from them.
ASKED = 5000
# Cases on which it is tried what the user's features depend on.
TRIED = 200


def space(
    charter: Charter,
    table: pd.DataFrame,
    data: Dataset,
    train: np.ndarray,
    predict: Predict,
    sides: Sides,
    seed: int = 0,
) -> Space:
    """Learn from the training part what may change in a case, and into what.

    What names a case, the time of the case, the target, labels, sensitive columns and those that the charter calls
    immutable never change; nor does what an immutable column is computed from, in the charter or in the user's
    features. Derived columns only follow. All values are real ones of training cases: a dozen steps between the lowest
    and the highest hundredth of a number, and the categories that the model tells apart.

    Parameters
    ----------
    charter
        See `prediction` in it: immutable, direction, derived, sensitive.
    table
        The joined table before the user's features, see `cases.labelled`.
    data
        The same cases with the user's features.
    train
        Rows of the training part.
    predict
        What the model says of rows of `table`.
    sides
        What counts as another output.
    seed
        Of the draw of training cases to compare with.

    Raises
    ------
    UserError
        If `prediction.immutable`, `direction` or `derived` name a column that is not there, or derive no number.
    """
    prediction = charter.prediction
    names = [name for name in (prediction.id_column, prediction.group_column, *charter.join_keys) if name is not None]
    _check_names(charter, [*table.columns, *data.raw.columns])
    known = table.iloc[train]
    parts = roles(known, identifiers={*names, *prediction.annotators})
    read = _derived(charter, table, data, parts.kinds)
    fixed = {name: reason for name, reason in parts.left_out.items() if name in table}
    fixed |= {one.column: f"it follows from {', '.join(one.sources)}" for one in read}
    if prediction.time_column is not None:
        fixed[prediction.time_column] = "it is the time of the case"
    fixed |= dict.fromkeys(prediction.sensitive, "it is sensitive")
    fixed |= dict.fromkeys(prediction.immutable, "it cannot change")
    fixed |= _behind(charter, known, read, fixed)
    free = [name for name in parts.kinds if name not in fixed]
    most = max(FEWEST_STEPS, min(STEPS, MOST_STEPS // max(len(free), 1)))
    moves = [
        _moves(known[name], parts.kinds[name], parts.levels.get(name, ()), prediction.direction.get(name), most)
        for name in free
    ]
    bounds = {}
    for one in read:
        numbers = reading(known[one.column])
        if np.isfinite(numbers).any():
            bounds[one.column] = (float(np.nanmin(numbers)), float(np.nanmax(numbers)))
    hidden = dict.fromkeys([name for name in (*names, *prediction.annotators) if name in table])
    references, answers = _references(known.assign(**hidden), predict, sides, seed)
    return Space(
        sides,
        {name: str(table[name].dtype) for name in table.columns},
        tuple(move for move in moves if len(move.values) > 1),
        {name: reason for name, reason in fixed.items() if name in table},
        tuple(name for name in parts.kinds if name in fixed and name not in prediction.derived),
        read,
        bounds,
        {one.column: prediction.direction[one.column] for one in read if one.column in prediction.direction},
        references,
        answers,
    )


def _check_names(charter: Charter, columns: Collection[str]) -> None:
    """A slip of the pen must not set free what was meant to stay."""
    prediction = charter.prediction
    elsewhere = {prediction.target, *charter.identifiers}
    for field in ("immutable", "direction", "derived"):
        for name in getattr(prediction, field):
            if name not in columns and name not in elsewhere:
                raise UserError(
                    "The charter says how a column may change that is not in the joined table.",
                    where=f"{charter.file}, field `prediction.{field}`",
                    found=f"`{name}`{did_you_mean(name, map(str, columns))}",
                    expected=f"one of {', '.join(dict.fromkeys(map(str, columns)))}",
                    fix="correct it or leave it out, or add the source that has it",
                )


def _derived(charter: Charter, table: pd.DataFrame, data: Dataset, kinds: Mapping[str, Kind]) -> tuple[Formula, ...]:
    """Read the formulas of the columns that stand in the joined table; `add_features` itself makes the others."""
    derived = {name: text for name, text in charter.prediction.derived.items() if name in table}
    for name in derived:
        if kinds.get(name, "number") != "number":
            raise UserError(
                "Only a column of numbers can be derived by an expression.",
                where=f"{charter.file}, field `prediction.derived.{name}`",
                found=f"a {kinds[name]}, e.g. {table[name].dropna().iloc[0]!r}",
                expected="numbers",
                fix="leave it out, and name it in prediction.immutable, or make it in add_features (features.py)",
            )
    return formulas(derived, list(table.columns), str(charter.file))


def _behind(
    charter: Charter, known: pd.DataFrame, read: tuple[Formula, ...], fixed: Mapping[str, str]
) -> dict[str, str]:
    """Find the columns from which one is computed that must not change.

    For derived columns the formulas say it. For the user's features it is tried: the values of one column after the
    other are dealt out anew among some cases.
    """
    prediction = charter.prediction
    held = dict.fromkeys([*prediction.immutable, *prediction.sensitive])
    found: dict[str, str] = {}
    for one in reversed(read):  # the last ones are computed from the ones before them
        if one.column in held:
            held |= dict.fromkeys(one.sources)
            found |= dict.fromkeys(one.sources, f"{one.column} is computed from it, which cannot change")
    if charter.project.package is None:
        return found
    rows = known.iloc[:TRIED].reset_index(drop=True)
    before = hooks.add_features(charter, rows)
    # A direction of a feature says nothing about the direction of what it is made of: better not to touch that.
    held |= dict.fromkeys(name for name in prediction.direction if name not in known)
    watched = [name for name in held if name in before]
    for name in known.columns if watched else ():
        if name in fixed or name in found:
            continue
        dealt = rows.copy()
        dealt[name] = rows[name].iloc[::-1].set_axis(rows.index)
        after = hooks.add_features(charter, recompute(dealt, read))
        moved = [kept for kept in watched if kept != name and not _same(before[kept], after[kept])]
        if moved:
            found[name] = f"{moved[0]} is computed from it, which cannot change"
    return found


def _same(one: pd.Series, other: pd.Series) -> bool:
    return bool(((one == other) | (one.isna() & other.isna())).all())


def joined(space: Space, unasked: Mapping[str, Any], cases: pd.DataFrame) -> pd.DataFrame:
    """Write cases as rows of the joined table.

    Parameters
    ----------
    space
        Knows how the joined table holds each column, and computes the derived ones.
    unasked
        What stands in for columns that nobody gives.
    cases
        What is known of them, in the spelling of the joined table.
    """
    columns = {
        name: held(list(cases[name]) if name in cases else [unasked.get(name)] * len(cases), dtype).set_axis(
            cases.index
        )
        for name, dtype in space.dtypes.items()
    }
    return recompute(pd.DataFrame(columns, index=cases.index), space.derived)


def recompute(frame: pd.DataFrame, read: tuple[Formula, ...]) -> pd.DataFrame:
    """Compute the derived columns of all rows again."""
    frame = frame.copy()
    for one in read:
        frame[one.column] = one.compute({source: reading(frame[source]) for source in one.sources})
    return frame


def _moves(column: pd.Series, kind: Kind, levels: Collection[str], direction: str | None, most: int) -> Moves:
    """List the values that a column may take."""
    name, present = str(column.name), column[column.notna()]
    if kind == "category":
        spellings: dict[str, Any] = {}
        for value in present.value_counts().index:  # the most frequent first
            if label(value) in levels:
                spellings.setdefault(label(value), value)
        return Moves(name, kind, tuple(spellings[level] for level in sorted(spellings)), direction=direction)
    numbers = as_days(present) if kind == "date" else as_numbers(present)
    present, numbers = present[np.isfinite(numbers)], numbers[np.isfinite(numbers)]
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    different, first = np.unique(ordered, return_index=True)
    if len(different) > most:
        places = np.quantile(np.arange(len(ordered)), np.linspace(EDGE, 1 - EDGE, most), method="nearest").astype(int)
        different, first = np.unique(ordered[places], return_index=True)
        first = places[first]
    below = np.searchsorted(ordered, different, side="left") + np.searchsorted(ordered, different, side="right")
    values = tuple(present.iloc[order[place]] for place in first)
    return Moves(name, kind, values, tuple((below / (2 * len(ordered))).tolist()), direction)


def _references(known: pd.DataFrame, predict: Predict, sides: Sides, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw training cases to compare with, and ask the model about them."""
    random = np.random.default_rng(seed)
    drawn = np.sort(random.permutation(len(known))[:ASKED])
    asked = known.iloc[drawn].reset_index(drop=True)
    answers = np.asarray(predict(asked))
    most = min(REFERENCES, max(MOST_CELLS // max(len(known.columns), 1), 1))
    code = np.zeros(len(asked), dtype=int) if sides.nothing else sides.code(answers)
    # a rare output shall have cases to compare with, too
    taken = np.sort(splits.in_turn(code, random)[:most])
    return asked.iloc[taken].reset_index(drop=True), answers[taken]
