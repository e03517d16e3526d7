"""Columns that are too good to be true (L3): known only once the outcome is, or written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import label
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Severity, Skip, finding
from lab2live.eda.signal import copied, order, quick, twins, written_later
from lab2live.reporting.formatting import score_text

# Cases used at most, classes as equally frequent as they can be.
ROWS = 8_000
FOLDS = 4
# What one column alone has to know before anything else is asked: an AUC, or a share of explained variance.
LEAST, LEAST_NUMBER = 0.65, 0.15
# Above this a column is held against all others together, whatever else is true of it; and fails when it is perfect.
STRONG, PERFECT = 0.95, 0.98
# Where all others know nothing, nobody can see whether a column is a copy: then it has to be this strong. Honest
# columns rarely rank cases better than 0.85 by themselves; one with two values hardly ever does.
ALONE, ALONE_PAIR, ALONE_NUMBER = 0.88, 0.84, 0.80
# Odd: all other columns together leave so many times as much unknown as this one leaves by itself.
ODD, VERY_ODD = 2.0, 3.0
# Independence is no evidence in a small table: there a column has to be this strong to be called a copy, and all others
# together leave so many times as much unknown (two measurements of one tumour know as much as each other).
ENOUGH, STRONG_COPY, STRONG_COPY_NUMBER, RATHER_ODD = 1_500, 0.85, 0.60, 1.2
# A column filled in for one class only: so many cases, nearly all of the class, which others expect in fewer of them.
FEWEST_FILLED, PURE, ONE_CLASS, SURE = 10, 0.97, 0.7, 1e-6
# With fewer columns nothing can be an exception.
FEWEST_COLUMNS = 3
# A suspect is an exception. Where more than a third of the columns are like it, the problem is an easy one.
MOST_SUSPECTS = 1 / 3


@dataclass(frozen=True)
class Suspect:
    """A column that knows the outcome nearly alone.

    Attributes
    ----------
    power
        See `power`, of the class that it knows best.
    goal
        Which column of `quick.truth` that is.
    answers
        Shape (rows,): what one view of the column says of cases it has not seen.
    pair
        Whether that view has two values only.
    filled
        Whether that view is about being filled in at all; then the rows that are, as a mask.
    """

    name: str
    power: float
    goal: int
    answers: np.ndarray
    pair: bool
    filled: np.ndarray | None = None


@quick.on_one_thread
def leakage(
    charter: Charter, data: Dataset, table: pd.DataFrame, origin: Mapping[str, str], seed: int = 0
) -> list[Finding | Skip]:
    """Look for what would be perfect in the test and worthless in production.

    Parameters
    ----------
    charter
        Names time and group column, identifiers.
    data
        The cases; at most `ROWS` of them are learnt from.
    table
        The joined table that `data` was made of: also columns that no model sees are looked at.
    origin
        Column -> the source it comes from; for all others the source is `JOINED`.
    seed
        Of the sample and the folds.
    """
    columns = dataset.labelled(charter, table)
    small = quick.balanced(charter, data, ROWS, seed)
    dates = written_later.dates_of(data, columns)
    found = quick.guarded("leakage.time", lambda: written_later.after_the_moment(charter, dates, origin))
    said = {one.column for one in found if isinstance(one, Finding) and one.severity != "info"}
    found += quick.guarded("leakage.feature", lambda: _too_good(charter, small, columns, dates, origin, said, seed))
    found += quick.guarded("leakage.identifier", lambda: order.knows(charter, data, columns, origin, seed))
    found += quick.guarded("duplicate.rows", lambda: twins.twins(charter, data))
    return found


def _too_good(
    charter: Charter,
    small: Dataset,
    columns: pd.DataFrame,
    dates: Mapping[str, np.ndarray],
    origin: Mapping[str, str],
    said: set[str | None],
    seed: int,
) -> list[Finding | Skip]:
    """Ask of each column alone what it knows, then whether that is honest."""
    views = _views(charter, small, columns.iloc[small.inputs.index], dates, said)
    alone = {name: _alone(charter, small, name, values, seed) for name, values in views.items()}
    beside = {name: parts[0].answers for name, parts in alone.items() if parts}
    least = LEAST if small.classes else LEAST_NUMBER
    inputs, names, truth = quick.matrix(small), list(small.columns.kinds), quick.truth(small)
    caught: dict[str, tuple[Suspect, float]] = {}
    # The strongest first: beside a column that knows the outcome, honest ones look like copies of it.
    for name in sorted(alone, key=lambda one: -max((part.power for part in alone[one]), default=0)):
        for suspect in sorted(alone[name], key=lambda part: -part.power):
            if suspect.power <= least:
                continue
            others = {other: answers for other, answers in beside.items() if other != name and other not in caught}
            same = copied.same_thing(small, suspect.answers, others)
            apart = copied.apart(small, suspect.answers, {o: a for o, a in others.items() if o not in same})
            if (
                not apart
                and suspect.filled is None
                and suspect.power <= (ALONE_PAIR if small.classes else ALONE_NUMBER)
            ):
                continue
            rest = _others(charter, small, inputs, [n != name and n in others and n not in same for n in names], seed)
            if (theirs := _verdict(small, suspect, truth, rest, apart)) is not None:
                caught[name] = suspect, theirs
                break
    if len(caught) > max(1, int(len(names) * MOST_SUSPECTS)):
        return []
    return [
        _worded(small, suspect, rest, columns, dates, origin)
        for suspect, rest in caught.values()
        if suspect.name not in said
    ]


def _views(
    charter: Charter,
    small: Dataset,
    columns: pd.DataFrame,
    dates: Mapping[str, np.ndarray],
    said: set[str | None],
) -> dict[str, list[np.ndarray]]:
    """Give the ways in which a column may know: by its values, by being filled in, by its distance to other dates."""
    inputs, named = quick.matrix(small), {*charter.identifiers, *charter.prediction.annotators}
    views = {name: [inputs[:, j]] for j, name in enumerate(small.columns.kinds)}
    for name in map(str, columns):
        missing = columns[name].isna().to_numpy()
        if name not in named and 0 < missing.mean() < 1:
            views.setdefault(name, []).append(missing.astype(float))
    rows = small.inputs.index
    honest = {name: days[rows] for name, days in dates.items() if name not in said}
    for name, days in honest.items():
        others = [other for known, other in honest.items() if known != name]
        if others and name in views:
            after = days - np.fmax.reduce(others)
            # of two dates the later one is the one that is written later
            if np.isfinite(after).any() and np.nanmedian(after) > 0:
                views[name].append(after)
    return views


def _alone(charter: Charter, small: Dataset, name: str, views: list[np.ndarray], seed: int) -> list[Suspect]:
    """Say how well each view of a column knows the outcome."""
    truth, found = quick.truth(small), []
    for place, values in enumerate(views):
        if np.isnan(values).all():
            continue
        answers = quick.out_of_fold(charter, small, values[:, None], quick.tree(small, seed), FOLDS, seed)
        known = np.isfinite(answers).all(axis=1)
        powers = power(small, truth[known], answers[known])
        if np.isfinite(powers).any():
            goal = int(np.nanargmax(powers))
            pair = len(np.unique(values[np.isfinite(values)])) + int(np.isnan(values).any()) <= 2
            filled = values == 0 if place > 0 and set(np.unique(values)) == {0.0, 1.0} else None
            found.append(Suspect(name, float(powers[goal]), goal, answers[:, goal], pair, filled))
    return found


def power(data: Dataset, truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Say how well answers rank cases; of numbers, how far off most of them are: errors in a few rows do not count."""
    found = quick.skills(data, truth, answers)
    if data.classes:
        return found
    spread = np.median(np.abs(truth - np.median(truth, axis=0)), axis=0)
    off = np.median(np.abs(truth - answers), axis=0)
    return np.where(spread > 0, np.fmax(found, 1 - (off / np.where(spread > 0, spread, 1)) ** 2), found)


def _others(charter: Charter, small: Dataset, inputs: np.ndarray, kept: list[bool], seed: int) -> np.ndarray:
    """Ask all columns that are kept, together; without any, everybody gets the same answer."""
    if not any(kept):
        return np.repeat(quick.truth(small).mean(axis=0, keepdims=True), len(inputs), axis=0)
    model = quick.learner(small, len(inputs), seed)
    return quick.out_of_fold(charter, small, inputs[:, kept], model, FOLDS, seed)


def _verdict(small: Dataset, suspect: Suspect, truth: np.ndarray, rest: np.ndarray, apart: bool) -> float | None:
    """Give the power of all others together if the suspect is not honest, else `None`."""
    known = np.isfinite(rest).all(axis=1) & np.isfinite(suspect.answers)
    theirs = float(power(small, truth[known], rest[known])[suspect.goal])
    ratio = (1 - theirs) / max(1 - suspect.power, 1e-9)
    if suspect.power > PERFECT and ratio >= ODD:
        return theirs
    if len(small.columns.kinds) < FEWEST_COLUMNS:
        return None
    if (suspect.power > STRONG and ratio >= VERY_ODD) or _filled_for_one(small, suspect, truth, rest):
        return theirs
    if theirs <= (LEAST - 0.05 if small.classes else LEAST_NUMBER):
        limit = ALONE_NUMBER if not small.classes else ALONE_PAIR if suspect.pair else ALONE
        return theirs if suspect.power > limit and ratio >= ODD else None
    if known.sum() < ENOUGH:
        if suspect.power > (ALONE if small.classes else ALONE_NUMBER) and ratio >= VERY_ODD:
            return theirs
        if suspect.power < (STRONG_COPY if small.classes else STRONG_COPY_NUMBER) or ratio < RATHER_ODD:
            return None
    return theirs if apart and copied.is_copy(small, suspect.answers, rest[:, suspect.goal]) else None


def _filled_for_one(small: Dataset, suspect: Suspect, truth: np.ndarray, rest: np.ndarray) -> bool:
    """Say whether a column is filled in for cases of one class only, which all others could not tell."""
    if suspect.filled is None or not small.classes:
        return False
    rows = suspect.filled & np.isfinite(rest).all(axis=1)
    told, expected = truth[rows, suspect.goal], float(rest[rows, suspect.goal].mean()) if rows.any() else 1.0
    if len(told) < FEWEST_FILLED or told.mean() < PURE or expected > ONE_CLASS:
        return False
    return bool(stats.binom.sf(told.sum() - 1, len(told), max(expected, truth[:, suspect.goal].mean())) < SURE)


def _worded(
    small: Dataset,
    suspect: Suspect,
    theirs: float,
    columns: pd.DataFrame,
    dates: Mapping[str, np.ndarray],
    origin: Mapping[str, str],
) -> Finding:
    name = suspect.name
    goal = f" ({small.classes[suspect.goal]})" if small.problem == "multiclass" else ""
    like = "nearly knows the outcome" if suspect.power > STRONG else "looks like a copy of the outcome with errors"
    unused = "" if name in small.columns.kinds else " No model sees it as it is, but its gaps tell."
    what = (
        f"{name} alone {like}{goal}: {suspect.power:.2f} ({quick.MEASURE[small.problem]}), all other columns together "
        f"{score_text(theirs, decimals=2)}; of them it knows only what the outcome knows.{unused}"
    )
    values = columns[name] if name in columns else small.raw[name]
    surest = small.inputs.index[np.argsort(-suspect.answers, kind="stable")][:EXAMPLES]
    outcome = pd.Series(small.outcome, small.inputs.index)
    shown = [f"{_shown(values.loc[place])}: {_outcome(small, outcome[place])}" for place in surest]
    severity: Severity = "fail" if suspect.power > PERFECT else "warn"
    check = "leakage.time" if name in dates else "leakage.feature"
    limit = LEAST if small.classes else LEAST_NUMBER
    witness: Witness | None = "determinism" if suspect.power > PERFECT else None
    return finding(check, origin.get(name, JOINED), name, severity, suspect.power, limit, what, None, shown, witness)


def _shown(value: Any) -> str:
    return "(missing)" if pd.api.types.is_scalar(value) and pd.isna(value) else label(value)


def _outcome(small: Dataset, outcome: float) -> str:
    return small.classes[int(outcome)] if small.classes else f"{outcome:.0%} of outcomes are lower"
