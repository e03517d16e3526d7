"""A column that slipped by some rows: it goes with its neighbours' values better than with its own row's."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.eda.checks.levels import factorized

# Rows by which a column may have slipped.
SHIFTS = (1, -1, 2, -2, 3, -3)
FEWEST_ROWS = 200
# Natural logarithm of the odds that a slipped block has to reach. By chance a sum of such evidence exceeds t anywhere
# in n rows with a probability of about n exp(-t), here for up to a million rows, columns and shifts together.
ENOUGH = 30.0
# Of a block that just lost its dependence, more: other things than a slip loosen a dependence.
ENOUGH_LOOSE = 60.0
# One row gives at most so much evidence, whatever its value.
MOST_PER_ROW = 4.0
# Below this share of explained variance a column goes with nothing, and cannot be seen to slip.
EXPLAINED = 0.1
UNEXPLAINED = 0.05
# Levels rarer than this, and columns beyond this many, are left out of what a column may go with.
RAREST_LEVEL, MOST_LEVELS, MOST_PARTS = 0.1, 50, 60
# In the block the dependence has to be gone, or to be back after the shift: shares of what it is elsewhere.
GONE, BACK = 0.4, 0.6
# A difference of two correlations in standard errors (Fisher's z).
SURE = 7.0
# Neighbouring rows are alike from this correlation on.
SEQUENCE = 0.15
# A whole column slipped: correlation with a neighbour, as a multiple of that with the own row.
CLEARER, CLEAR = 3.0, 0.15
# Columns with a rhythm go together at many distances; so far away nothing that slipped does.
FAR = range(4, 21)


@dataclass(frozen=True)
class Slip:
    """Rows from `start` to `stop` hold the values of rows `shift` further down; 0 for rows in no order."""

    start: int
    stop: int
    shift: int
    evidence: float


@dataclass(frozen=True)
class Parts:
    """Columns as numbers of mean 0 and variance 1; a category has one for each frequent level."""

    values: np.ndarray
    owners: tuple[Hashable, ...]


def parts(numbers: Mapping[str, np.ndarray], categories: Mapping[str, pd.Series]) -> Parts:
    """Write columns as standard numbers, long tails pulled in, gaps in the middle."""
    columns: list[np.ndarray] = []
    owners: list[str] = []
    for name, values in numbers.items():
        known = np.isfinite(values)
        if known.sum() < FEWEST_ROWS / 2:
            continue
        low, middle, high = np.quantile(values[known], [0.25, 0.5, 0.75])
        with np.errstate(over="ignore"):
            bent = np.arcsinh((values - middle) / ((high - low) or np.std(values[known]) or 1.0))
        columns.append(np.where(known, bent, 0.0))
        owners.append(name)
    for name, texts in categories.items():
        codes, levels = factorized(texts)
        if not 2 <= len(levels) <= MOST_LEVELS:
            continue
        shares = np.bincount(codes + 1, minlength=len(levels) + 1)[1:] / len(codes)
        for level in np.flatnonzero(shares >= RAREST_LEVEL):
            columns.append((codes == level).astype(float))
            owners.append(name)
    kept = [place for place, column in enumerate(columns) if np.std(column) > 1e-9][:MOST_PARTS]
    if not kept:
        return Parts(np.zeros((0, 0)), ())
    values = np.column_stack([columns[place] for place in kept])
    values = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -MOST_PER_ROW, MOST_PER_ROW)
    return Parts(values, tuple(owners[place] for place in kept))


def slipped(targets: Parts, helpers: Parts | None = None, order: bool = True) -> dict[str, Slip]:
    """Find the columns of a table that slipped against the others, in a block of rows or altogether.

    Every column is predicted from the others by least squares. Row by row, the logarithm of the odds says whether its
    value goes better with what is predicted for a neighbouring row; the block in which they add up to most is found
    in one pass (the maximum of a sum over consecutive elements).

    Parameters
    ----------
    targets
        The table's own columns, in the order of its rows.
    helpers
        Columns of another source, already in the order of these rows, that are predicted from but not judged.
    order
        Whether neighbouring rows are neighbours in the source.

    Returns
    -------
    dict
        Column -> slip. One column slipping makes those that depend on it look wrong as well; they are left out if they
        agree with all others, unless nothing tells which of the two slipped.
    """
    both = targets if helpers is None or not helpers.owners or not targets.owners else _beside(targets, helpers)
    rows = len(both.values)
    if rows < FEWEST_ROWS or not targets.owners or len(set(both.owners)) < 2:
        return {}
    seen = _seen(both.values, order)
    found: dict[str, Slip] = {}
    judged = [str(name) for name in dict.fromkeys(targets.owners)]
    while True:
        sure = {
            name: slip
            for name in judged
            if name not in found
            if (slip := _slip_of(both, seen, name, {*found})) is not None
        }
        if not sure:
            return found
        first = max(sure, key=lambda one: sure[one].evidence)
        before = {*found}
        found[first] = sure.pop(first)
        for name, slip in sure.items():
            # only the agreement of these two is broken, and nothing tells which of them slipped
            alone = _slip_of(both, seen, first, before | {name}) is None
            if alone and _slip_of(both, seen, name, before | {first}) is None:
                found[name] = slip


@dataclass(frozen=True)
class Seen:
    """Products of all columns: `own` within all rows and each third of them, `beside` with a row further down."""

    own: Sequence[np.ndarray]
    beside: Mapping[int, np.ndarray]


def _seen(values: np.ndarray, order: bool) -> Seen:
    rows = len(values)
    thirds = [values[place * rows // 3 : (place + 1) * rows // 3] for place in range(3)]
    own = [third.T @ third / len(third) for third in thirds]
    ahead = {shift: values[:-shift].T @ values[shift:] / (rows - shift) for shift in SHIFTS if shift > 0 and order}
    beside = {shift: ahead[shift] if shift > 0 else ahead[-shift].T for shift in SHIFTS if order}
    return Seen((values.T @ values / rows, *own), beside)


def _beside(targets: Parts, helpers: Parts) -> Parts:
    # a helper may have the name of a target, and is another column all the same
    foreign = tuple(("helper", name) for name in helpers.owners)
    return Parts(np.column_stack([targets.values, helpers.values]), (*targets.owners, *foreign))


def _slip_of(both: Parts, seen: Seen, name: Hashable, without: set[Hashable]) -> Slip | None:
    """Give the surest slip of a column against all others but some."""
    mine = [place for place, owner in enumerate(both.owners) if owner == name]
    others = np.array([place for place, owner in enumerate(both.owners) if owner != name and owner not in without])
    if not len(others):
        return None
    slips = [
        slip
        for part in mine
        for slip in (_in_block(both.values, part, others, seen), _whole(both.values, seen, part, others))
    ]
    return max((slip for slip in slips if slip is not None), key=lambda slip: slip.evidence, default=None)


def _in_block(values: np.ndarray, target: int, others: np.ndarray, seen: Seen) -> Slip | None:
    """Find the block of rows in which a column goes with its neighbours, or with nothing any more."""
    # what slipped weakens the dependence: it is learnt where it is strongest, from all rows or from a third of them
    weights, explained = np.zeros(values.shape[1]), 0.0
    for place, moment in enumerate(seen.own):
        some = np.zeros(values.shape[1])
        some[others] = np.linalg.solve(
            moment[np.ix_(others, others)] + 1e-3 * np.eye(len(others)), moment[others, target]
        )
        share = float(some @ moment[:, target]) / max(float(moment[target, target]), 1e-9)
        share = _beyond_chance(share, len(values) // (3 if place else 1), len(others))
        if share > explained + 0.02 and (not place or _holds_elsewhere(values, some, target, place - 1)):
            weights, explained = some, share
    if explained < EXPLAINED:
        return None
    own, guess = values[:, target], values @ weights
    noise = max(1 - explained, UNEXPLAINED)
    error = (own - guess) ** 2 / (2 * noise)
    best: Slip | None = None
    for shift in seen.beside:
        moved = (own - _moved(guess, shift)) ** 2 / (2 * noise)
        start, stop, evidence = _largest(np.clip(error - moved, -MOST_PER_ROW, MOST_PER_ROW))
        if evidence > max(ENOUGH, best.evidence if best else 0) and _back(own, guess, start, stop, shift):
            best = Slip(start, stop, shift, evidence)
    if best is None:
        loose = np.clip(error - own**2 / 2 + 0.5 * np.log(noise), -MOST_PER_ROW, MOST_PER_ROW)
        start, stop, evidence = _largest(loose)
        if evidence > ENOUGH_LOOSE and _gone(own, guess, start, stop) and not _in_sequence(own, guess):
            best = Slip(start, stop, 0, evidence)
    return best


def _beyond_chance(share: float, rows: int, parts: int) -> float:
    """Take from a share of explained variance what so many columns of noise would explain, and what that varies by."""
    if rows <= 2 * parts:
        return 0.0
    return 1 - (1 - share) * (rows - 1) / (rows - parts - 1) - 3 * float(np.sqrt(2 * parts)) / rows


def _holds_elsewhere(values: np.ndarray, weights: np.ndarray, target: int, third: int) -> bool:
    """Say whether what was learnt from one third of the rows is true in another one, too."""
    rows = len(values)
    cuts = [slice(place * rows // 3, (place + 1) * rows // 3) for place in range(3) if place != third]
    return any(_correlation(values[cut, target], values[cut] @ weights) ** 2 > EXPLAINED for cut in cuts)


def _moved(values: np.ndarray, shift: int) -> np.ndarray:
    """Give each row the value of the row `shift` further down; at the ends the nearest one."""
    return values[np.clip(np.arange(len(values)) + shift, 0, len(values) - 1)]


def _largest(evidence: np.ndarray) -> tuple[int, int, float]:
    """Find the consecutive rows whose evidence adds up to most."""
    total = np.concatenate([[0.0], np.cumsum(evidence)])
    gain = total - np.minimum.accumulate(total)
    stop = int(gain.argmax())
    start = int(total[: stop + 1].argmin())
    return start, stop, float(gain[stop])


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    if len(one) < 4 or np.std(one) < 1e-9 or np.std(two) < 1e-9:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])


def _apart(one: float, two: float, rows: int) -> float:
    """Give the difference of two correlations in standard errors."""
    return float(abs(np.arctanh(np.clip(one, -0.999, 0.999)) - np.arctanh(np.clip(two, -0.999, 0.999))) * np.sqrt(rows))


def _elsewhere(own: np.ndarray, guess: np.ndarray, start: int, stop: int) -> float:
    outside = np.r_[0:start, stop : len(own)]
    return _correlation(own[outside], guess[outside])


def _back(own: np.ndarray, guess: np.ndarray, start: int, stop: int, shift: int) -> bool:
    """Say whether in the block the shift brings back a dependence that is gone without it."""
    here = _correlation(own[start:stop], guess[start:stop])
    there = _correlation(own[start:stop], _moved(guess, shift)[start:stop])
    usual = max(_elsewhere(own, guess, start, stop), EXPLAINED)
    # where rows are sorted, neighbours are alike and a shift changes nothing
    return there > BACK * usual and there - here > 0.3 * there and _apart(there, here, stop - start) > SURE


def _gone(own: np.ndarray, guess: np.ndarray, start: int, stop: int) -> bool:
    here, usual = _correlation(own[start:stop], guess[start:stop]), _elsewhere(own, guess, start, stop)
    alike = abs(np.std(own[start:stop]) - 1) < 0.3 and abs(np.mean(own[start:stop])) < 0.3
    return alike and here < GONE * usual and _apart(here, usual, stop - start) > SURE


def _in_sequence(*columns: np.ndarray) -> bool:
    """Say whether neighbouring rows are alike: then what a block of them says is not so many independent things."""
    return any(abs(_correlation(column[:-1], column[1:])) > SEQUENCE for column in columns)


def _whole(values: np.ndarray, seen: Seen, target: int, others: np.ndarray) -> Slip | None:
    """Say whether the column goes with its neighbours' values everywhere."""
    rows = len(values)
    usual = np.abs(seen.own[0][target, others])
    best: Slip | None = None
    for shift, products in seen.beside.items():
        moved = np.abs(products[target, others])
        clear = (moved > np.maximum(CLEARER * usual, CLEAR)) & (moved * np.sqrt(rows) > SURE)
        clear[clear] = [_only_there(values[:, target], values[:, one]) for one in others[clear]]
        evidence = float((moved[clear] ** 2).sum() / 2 * rows)
        if evidence > (best.evidence if best else ENOUGH):
            best = Slip(0, rows, shift, evidence)
    return best


def _only_there(own: np.ndarray, other: np.ndarray) -> bool:
    """Say whether two columns go together a few rows apart far better than many rows apart."""
    near = max(abs(_at(own, other, shift)) for shift in SHIFTS)
    return near > CLEARER * max(abs(_at(own, other, sign * shift)) for shift in FAR for sign in (1, -1))


def _at(own: np.ndarray, other: np.ndarray, shift: int) -> float:
    first, second = (own[:-shift], other[shift:]) if shift > 0 else (own[-shift:], other[:shift])
    return float(first @ second) / len(first)
