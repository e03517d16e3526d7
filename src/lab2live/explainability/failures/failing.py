"""When does the model fail? Kinds of cases in which it is wrong more often, or by more, than its own answers say.

That some cases are hard to tell is no failure of a model that says so. So every answer is held against what it
promised: a probability against how often the outcome came, a number against how far such answers are off elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import wilson
from lab2live.data.splits import Split
from lab2live.explainability.confidence.conformal import probabilities
from lab2live.explainability.failures.conditions import Conditions, conditions
from lab2live.explainability.failures.slices import Measured, Redraw, Slice, find
from lab2live.explainability.sides import Sides
from lab2live.explainability.why.telling import units
from lab2live.poc.comparison.chosen import Chosen
from lab2live.poc.worth import value

# Answers that are looked at, and how few there may be: half of them have to show what the other half confirms.
MOST, FEWEST = 40_000, 200
# Predicted levels of a regression, within which answers are compared; cases each needs.
LEVELS, FEWEST_IN_LEVEL = 20, 50


@dataclass(frozen=True)
class Scored:
    """Honest answers: none of these cases was learnt from by the model that answers.

    Attributes
    ----------
    rows
        Of the data set.
    known, answers
        Their outcomes, and what was answered, see `poc.answers`.
    sides
        What an answer means.
    policy
        What is done with it.
    """

    rows: np.ndarray
    known: np.ndarray
    answers: np.ndarray
    sides: Sides
    policy: value.Policy


@dataclass(frozen=True)
class Failure:
    """A kind of cases that stood out, measured where it was put to the test.

    Attributes
    ----------
    slice
        Which cases.
    cases
        How many.
    happened, low, high
        The mean of what happened, with its 95 % interval; see `worse` and `tilted` for what that is.
    expected
        The mean of what was to be expected.
    lost
        Money per case that is lost on top of what was to be expected; `None` without money in the charter.
    """

    slice: Slice
    cases: int
    happened: float
    low: float
    high: float
    expected: float
    lost: float | None


def scored(data: Dataset, split: Split, picked: Chosen, test: np.ndarray, sides: Sides, seed: int) -> Scored:
    """Put together all honest answers there are: out of fold, and about the test part.

    Parameters
    ----------
    picked
        The chosen model, with its answers about the training part.
    test
        Its answers about the test part.
    sides
        What an answer means.
    seed
        Of the draw, where there are too many.
    """
    rows = np.concatenate([split.train, split.test])
    answers = np.concatenate([picked.out_of_fold, test])
    told = np.flatnonzero(~np.isnan(answers).reshape(len(answers), -1).any(axis=1))
    kept = splits.some(told, MOST, seed)
    return Scored(rows[kept], data.outcome[rows[kept]], answers[kept], sides, picked.policy)


def worse(seen: Scored) -> Measured:
    """Measure by how much every answer is worse than promised, see `errors`."""
    off, expected = errors(seen)
    if seen.sides.problem == "regression":
        return _compared(off, _levels(seen.answers), off, expected)
    said = probabilities(seen.answers)
    each = (np.arange(said.shape[1])[None] != said.argmax(axis=1)[:, None]) - expected[:, None]
    return Measured(off - expected, expected * (1 - expected), _drawn(said, each), off, expected)


def tilted(seen: Scored) -> Measured:
    """Measure how far what happened lies above or below what was said, whether that made the answer worse or not.

    What people read of it: how often the outcome came, against its probability (with more than two classes: how often
    the most probable one came); in a regression the outcome, against the answer.
    """
    if seen.sides.problem == "regression":
        return _compared(seen.known - seen.answers, _levels(seen.answers), seen.known, seen.answers, both=True)
    said = probabilities(seen.answers)
    about = np.ones(len(said), dtype=int) if said.shape[1] == 2 else said.argmax(axis=1)
    p = said[np.arange(len(said)), about]
    each = (np.arange(said.shape[1])[None] == about[:, None]) - p[:, None]
    came = (seen.known == about).astype(float)
    return Measured(came - p, p * (1 - p), _drawn(said, each), came, p, both=True)


def harder(seen: Scored) -> Measured:
    """Measure how wrong every answer is against all others, whatever it promised: which cases are hard to tell."""
    off, _ = errors(seen)
    return _compared(off, np.zeros(len(off), dtype=int), off, np.full(len(off), off.mean()))


def errors(seen: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Say how wrong each answer is, and how wrong it was to be expected, shape (rows,) each.

    In a classification whether the most probable outcome did not come, and how probable that was: whatever is decided,
    since where mistakes cost differently a good decision is often a wrong one. In a regression the distance, and the
    mean distance of other answers of the same size.
    """
    if seen.sides.problem == "regression":
        off = np.abs(seen.known - seen.answers)
        return off, off - _beyond(off, _levels(seen.answers))
    said = probabilities(seen.answers)
    return (seen.known != said.argmax(axis=1)).astype(float), 1 - said.max(axis=1)


def _drawn(said: np.ndarray, each: np.ndarray) -> Redraw:
    """Draw outcomes as if every probability were right; `each` is what is measured for which class."""
    cumulated = said.cumsum(axis=1)

    def redraw(random: np.random.Generator, rows: np.ndarray, draws: int) -> np.ndarray:
        uniform = random.random((draws, len(rows)))
        codes = np.zeros(uniform.shape, dtype=np.intp)
        for edge in cumulated[rows, :-1].T:
            codes += uniform > edge
        return np.asarray(each[rows][np.arange(len(rows)), codes])

    return redraw


def _levels(answers: np.ndarray) -> np.ndarray:
    """Put answers of a regression into levels of equally many cases, shape (rows,)."""
    levels = int(np.clip(len(answers) // FEWEST_IN_LEVEL, 1, LEVELS))
    edges = np.quantile(answers, np.linspace(0, 1, levels + 1)[1:-1]) if levels > 1 else np.array([])
    return np.unique(np.searchsorted(edges, answers, side="right"), return_inverse=True)[1]


def _beyond(off: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Give what lies above the mean of its level."""
    return np.asarray(off - (np.bincount(place, weights=off) / np.bincount(place))[place])


def _compared(
    off: np.ndarray, place: np.ndarray, happened: np.ndarray, expected: np.ndarray, both: bool = False
) -> Measured:
    """Compare with others of the same level: without probabilities, only others say how far off is usual."""
    cases, values = np.bincount(place), _beyond(off, place)
    variance = (np.bincount(place, weights=values**2) / cases)[place]
    ordered, starts = np.argsort(place, kind="stable"), np.cumsum(cases) - cases

    def redraw(random: np.random.Generator, rows: np.ndarray, draws: int) -> np.ndarray:
        within = (random.random((draws, len(rows))) * cases[place[rows]]).astype(int)
        return np.asarray(values[ordered[starts[place[rows]] + within]])

    return Measured(values, variance, redraw, happened, expected, both)


def failures(charter: Charter, data: Dataset, seen: Scored, measured: Measured, seed: int) -> tuple[Failure, ...]:
    """Find the kinds of cases that stand out, and say how bad it is there.

    Parameters
    ----------
    charter
        Units, money, and which cases belong together.
    data, seen
        The data set and the answers to look at.
    measured
        See `worse` and `tilted`.
    seed
        Of the halves and redraws.

    Returns
    -------
    tuple of Failure
        The clearest first, confirmed or not; nothing where there are fewer than `FEWEST` answers.
    """
    if len(seen.rows) < FEWEST:
        return ()
    raw, known = data.raw.iloc[seen.rows], units(charter)

    def closer(columns: set[str]) -> Conditions:
        return conditions(raw, data.columns, known, columns)

    lost, groups = _lost(charter, seen), splits.groups(charter, data, seen.rows)
    found = []
    for one in find(conditions(raw, data.columns, known), closer, measured, seed, groups):
        rows = one.rows
        if not len(rows):
            continue
        happened = float(measured.happened[rows].mean())
        if data.classes:
            low, high = map(float, wilson(measured.happened[rows].sum(), np.array(len(rows))))
        else:
            reach = 1.96 * float(measured.happened[rows].std()) / np.sqrt(len(rows))
            low, high = happened - reach, happened + reach
        money = None if lost is None else float(lost[rows].mean())
        found.append(Failure(one, len(rows), happened, low, high, float(measured.expected[rows].mean()), money))
    return tuple(found)


def _lost(charter: Charter, seen: Scored) -> np.ndarray | None:
    """Give the money per case lost against the best decision, above what the answers let expect, shape (rows,)."""
    problem = seen.sides.problem
    if value.no_money(charter, problem):
        return None
    decided = seen.policy.decide(seen.answers)
    if problem == "regression":
        return _beyond(value.miss_costs(charter.business.value, seen.known - decided), _levels(seen.answers))
    said = probabilities(seen.answers)
    codes = range(said.shape[1])
    regrets = []
    for code in codes:
        known = np.full(len(decided), code)
        best = max(float(value.worth(charter, problem, known[:1], np.array([option]))[0]) for option in codes)
        regrets.append(best - value.worth(charter, problem, known, decided))
    each = np.column_stack(regrets)
    return np.asarray(each[np.arange(len(decided)), seen.known] - (each * said).sum(axis=1))
