"""In which kinds of cases is something worse? Looked for in one half of the cases, confirmed in the other.

All slices of one or two conditions are scanned at once, by products of matrices. Whatever is best of thousands looks
good: only the other half says whether it is true, and the false-discovery rate of what it confirms is kept below one in
twenty (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lab2live.explainability.failures.conditions import SMALLEST, Conditions

# Slices that are put to the test; each is looked for among the cases of none before it.
MOST_SLICES = 5
# A slice holds so many cases of a half at least, and at most so large a share: what is worse for more is the rule.
FEWEST, LARGEST = 30, 0.5
# How clearly a slice has to stand out, in standard errors, to be put to the test. The best of pure chance reaches about
# four.
CLEARLY = 2.5
# One condition is told instead of two where it stands out nearly as clearly.
SIMPLER = 0.9
# What is worse by less than this, in standard deviations of a single case, is not called worse: no model is perfect,
# and twice as much is commonly called a small effect (Cohen 1988).
MARGIN = 0.1
# Slices that share so many of their cases are one slice with two names.
TWINS, MOST_TWINS = 0.8, 2
# Redraws behind a p-value, and the rate of false discoveries.
DRAWS, FALSE = 2_000, 0.05
# Numbers that are drawn at once: more would only fill the memory.
AT_ONCE = 4_000_000

Redraw = Callable[[np.random.Generator, np.ndarray, int], np.ndarray]
Closer = Callable[[set[str]], Conditions]


@dataclass(frozen=True)
class Measured:
    """Something per case that is zero on average if all is well.

    Attributes
    ----------
    values, variance
        Shape (rows,): what was measured, and how much it varies by chance.
    redraw
        Given a generator, rows and a number of draws: what chance alone could have measured for these rows, shape
        (draws, rows).
    happened, expected
        What people read of it, shape (rows,) each: such as whether an answer was wrong, and how probable that was.
    both
        Whether too little is as bad as too much.
    """

    values: np.ndarray
    variance: np.ndarray
    redraw: Redraw
    happened: np.ndarray
    expected: np.ndarray
    both: bool = False


@dataclass(frozen=True)
class Slice:
    """A kind of cases that stood out in one half.

    Attributes
    ----------
    text
        Its conditions in words.
    also
        Other words for nearly the same cases.
    rows
        Of the other half: the cases of this kind and of no slice before it.
    excess
        The mean of what was measured there, beyond the mean of all other cases and beyond zero.
    chance
        The p-value: how often chance alone makes as much of it as there is beyond `MARGIN`.
    confirmed
        Whether it is taken for true.
    """

    text: str
    also: tuple[str, ...]
    rows: np.ndarray
    excess: float
    chance: float
    confirmed: bool


def find(
    conditions: Conditions, closer: Closer, measured: Measured, seed: int, groups: np.ndarray | None = None
) -> tuple[Slice, ...]:
    """Find slices in one half of the cases, and put them to the test in the other.

    Parameters
    ----------
    conditions, measured
        Of the same cases.
    closer
        Given the columns of a slice, gives conditions that tell these more finely.
    seed
        Of the halves and of the redraws.
    groups
        Which cases belong together, shape (rows,): they stay in one half, and count as one piece of evidence.

    Returns
    -------
    tuple of Slice
        The clearest first.
    """
    random = np.random.default_rng(seed)
    first = _half(random, len(measured.values), groups)
    left, tested = ~first, []
    for text, also, inside in _discover(conditions, closer, measured, first):
        rows = np.flatnonzero(left & inside)
        excess, chance = _by_chance(measured, rows, ~first, groups, random)
        tested.append(Slice(text, also, rows, excess, chance, False))
        left &= ~inside
    ordered = np.sort([one.chance for one in tested])
    below = np.flatnonzero(ordered <= FALSE * np.arange(1, len(tested) + 1) / max(len(tested), 1))
    limit = ordered[below[-1]] if len(below) else -1.0
    return tuple(replace(one, confirmed=bool(one.chance <= limit)) for one in tested)


def _half(random: np.random.Generator, rows: int, groups: np.ndarray | None) -> np.ndarray:
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max()) + 1 if rows else 0
    chosen = np.zeros(count, dtype=bool)
    chosen[random.permutation(count)[: count // 2]] = True
    return np.asarray(chosen[units])


def _discover(
    conditions: Conditions, closer: Closer, measured: Measured, first: np.ndarray
) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """Take the clearest slice of a half, leave its cases out, and go on; give its words, others, and all its cases."""
    left = first.copy()
    for _ in range(MOST_SLICES):
        members, clear = _clearest(conditions, measured, left)
        if not clear >= CLEARLY:
            return
        finer = closer({conditions.each[one].column for one in members})
        closely, clearer = _clearest(finer, measured, left)
        told, members = (finer, closely) if clearer > clear else (conditions, members)
        inside = np.asarray(told.holds[:, members].all(axis=1))
        yield told.words(members), _twins(conditions, inside, left, {told.each[one].column for one in members}), inside
        left &= ~inside


def _clearest(conditions: Conditions, measured: Measured, left: np.ndarray) -> tuple[list[int], float]:
    """Give the condition, or the two, of the clearest slice of some cases, and how clear it is."""
    if not conditions.each:
        return [], -np.inf
    clear = _scan(conditions.holds[left], measured.values[left], measured.variance[left], measured.both)
    alone = int(np.diag(clear).argmax())
    if clear[alone, alone] >= SIMPLER * clear.max():
        return [alone], float(clear[alone, alone])
    return sorted({int(place) for place in np.unravel_index(int(clear.argmax()), clear.shape)}), float(clear.max())


def _scan(holds: np.ndarray, values: np.ndarray, variance: np.ndarray, both: bool) -> np.ndarray:
    """Say for every pair of conditions how clearly the cases of both stand out, in standard errors.

    Returns
    -------
    numpy.ndarray
        Shape (conditions, conditions); the diagonal holds single conditions. Minus infinity for slices that are too
        small or too large.
    """
    rows = len(values)
    matrix = holds.astype(np.float32)
    mean = float(values.mean()) if rows else 0.0
    values = values - (mean if both else max(mean, 0.0))
    cases = matrix.T @ matrix
    sums = matrix.T @ (matrix * values[:, None].astype(np.float32))
    spread = matrix.T @ (matrix * variance[:, None].astype(np.float32))
    squares = matrix.T @ (matrix * (values**2)[:, None].astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        # what is said to hardly vary stands out by a few cases that went wrong: then it counts how much it did vary
        spread = np.maximum(spread, squares - sums**2 / cases)
        clear = sums / np.sqrt(spread * (1 - cases / max(rows, 1)))
    clear = np.abs(clear) if both else clear
    fewest = max(FEWEST, SMALLEST * rows)
    usable = (cases >= fewest) & (cases <= LARGEST * rows) & np.isfinite(clear)
    return np.where(usable, clear, -np.inf)


def _twins(conditions: Conditions, inside: np.ndarray, left: np.ndarray, columns: set[str]) -> tuple[str, ...]:
    """Name single conditions on other columns that hold for nearly the same cases."""
    holds, inside = conditions.holds[left], inside[left]
    shared = holds[inside].sum(axis=0)
    alike = shared / np.maximum(holds.sum(axis=0) + inside.sum() - shared, 1)
    order = np.argsort(-alike, kind="stable")
    found: list[str] = []
    for one in order[alike[order] >= TWINS]:
        if conditions.each[one].column not in columns and len(found) < MOST_TWINS:
            columns = {*columns, conditions.each[one].column}
            found.append(conditions.words([one]))
    return tuple(found)


def _by_chance(
    measured: Measured,
    inside: np.ndarray,
    half: np.ndarray,
    groups: np.ndarray | None,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Compare a slice with all other cases of its half.

    Returns
    -------
    excess, chance
        The difference, and its p-value by redraws; where cases belong together the larger one of this and of
        whole groups turned at random (Cameron et al. 2008).
    """
    outside = half.copy()
    outside[inside] = False
    if len(inside) < FEWEST or not outside.any():
        return float("nan"), 1.0
    found, usual = float(measured.values[inside].mean()), float(measured.values[outside].mean())
    # it has to stand out from the others, and from what was to be expected: others may do better than that
    usual = max(usual, 0.0) if found > 0 or not measured.both else min(usual, 0.0)
    excess = found - usual
    margin = MARGIN * float(np.sqrt(measured.variance[half].mean()))
    beyond = (abs(excess) if measured.both else excess) - margin
    at_once = max(1, AT_ONCE // len(inside))
    drawn = [
        measured.redraw(random, inside, min(at_once, DRAWS - start)).mean(axis=1) for start in range(0, DRAWS, at_once)
    ]
    chance = _share(np.concatenate(drawn), beyond, measured.both)
    if groups is not None:
        units = np.unique(groups[inside], return_inverse=True)[1]
        sums = np.bincount(units, weights=measured.values[inside] - usual)
        turned = random.choice([-1.0, 1.0], (DRAWS, len(sums))) @ sums / len(inside)
        chance = max(chance, _share(turned, beyond, measured.both))
    return excess, chance


def _share(drawn: np.ndarray, beyond: float, both: bool) -> float:
    reached = (np.abs(drawn) if both else drawn) >= beyond
    return float((1 + reached.sum()) / (1 + len(drawn)))
