"""Training and test set, and folds for cross-validation: split in the way the model will be used."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import together
from lab2live.data.dataset import Dataset
from lab2live.data.feature_types import as_days, moments
from lab2live.errors import UserError

TEST_SHARE = 0.2
# How far the test set may be from it where whole groups are held back; so many orders of them are tried, or as many as
# so many groups allow.
TOLERATED, DRAWS, DRAWN = 0.05, 200, 2_000_000

# Folds by time learn from this share of the training set at least: a model of the first days says little about one of
# all, and candidates that need many cases would be judged where they have few.
FIRST_LEARN = 0.5

# A class needs this many cases to learn from: the calibration of boosting splits them three ways.
FEWEST = 3


@dataclass(frozen=True)
class Split:
    """Row numbers of the part to learn from and of the part that is opened once, and how they were drawn.

    Attributes
    ----------
    in_shares
        Whether both parts hold the classes in the shares that they have among all cases.
    """

    train: np.ndarray
    test: np.ndarray
    how: str
    in_shares: bool = False


def split(charter: Charter, data: Dataset, seed: int) -> Split:
    """Hold a test part back the way the model will be used: by time, by whole groups, else at random.

    Raises
    ------
    UserError
        If there are too few cases, or one side would lack a class.
    """
    found = _split(charter, data, seed)
    if not _usable(data, found.train, found.test):
        raise UserError(
            "There are too few cases to learn from one part and to test on another.",
            where=f"the split: {found.how}",
            found=_counted(data, found),
            expected=f"{FEWEST} or more cases of every class to learn from, and more than one class to test on"
            if data.classes
            else f"{FEWEST} or more cases to learn from, and 2 to test on",
            fix="collect more cases, raise `sample`, put a rare class together with another in the source, or split in "
            "another way (prediction.time_column, group_column)",
        )
    return found


def _split(charter: Charter, data: Dataset, seed: int) -> Split:
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(data.outcome))
    prediction = charter.prediction
    known = clock(charter, data)
    if known is not None:
        train, test = next(_by_time(*known, 1 - TEST_SHARE, 1), (rows, rows[:0]))
        how = f"the last {len(test) / len(rows):.0%} by {prediction.time_column}"
        young = len(rows) - len(train) - len(test)
        if young:
            how += f", {young:,} cases before them left out whose label was not known by then (label_delay_days)"
        elif prediction.label_delay_days and not known[1]:
            how += ", label_delay_days left aside: numbers are no days"
        return Split(train, test, how)
    units, why = _together(charter, data)
    if units is not None:
        held = _whole(_counts(data, rows, units), np.random.default_rng(seed))[units]
        share = held.mean()
        how = f"{' and '.join(why)}, at random: {share:.0%} of the rows"
        if abs(share - TEST_SHARE) > TOLERATED:
            how += f", as these groups do not allow for about {TEST_SHARE:.0%}"
        return Split(rows[~held], rows[held], how)
    if len(rows) < 2:
        return Split(rows, rows[:0], "at random")
    counts = np.bincount(data.outcome) if data.classes else np.array([0])
    # both parts have to have room for every class
    in_shares = bool(counts.min() >= 2 and len(rows) * TEST_SHARE >= len(counts))
    stratify = data.outcome if in_shares else None
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=stratify)
    how = "at random, classes in equal shares" if stratify is not None else "at random"
    return Split(np.sort(train), np.sort(test), how, in_shares)


def _counts(data: Dataset, rows: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Give the share of every class, or of all rows in a regression, that each group holds."""
    codes = data.outcome[rows] if data.classes else np.zeros(len(rows), dtype=int)
    counts = np.zeros((units.max() + 1, max(1, len(data.classes))))
    np.add.at(counts, (units, codes), 1)
    return counts / np.maximum(counts.sum(axis=0), 1)


def _whole(shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Hold groups back: of many random orders the start that comes closest to the wanted share of every class."""
    best, held = np.inf, np.zeros(len(shares), dtype=bool)
    for _ in range(max(1, min(DRAWS, DRAWN // len(shares)))):
        order = random.permutation(len(shares))
        off = np.abs(np.cumsum(shares[order[:-1]], axis=0) - TEST_SHARE).mean(axis=1)
        if len(off) and off.min() < best:
            best, held = off.min(), np.zeros(len(shares), dtype=bool)
            held[order[: off.argmin() + 1]] = True
    return held


def _dealt(shares: np.ndarray, folds: int, random: np.random.Generator) -> np.ndarray:
    """Deal groups to folds, large ones first, each to the one that holds least of the classes that it brings."""
    order = random.permutation(len(shares))
    held, fold = np.zeros((folds, shares.shape[1])), np.zeros(len(shares), dtype=int)
    for group in order[np.argsort(-shares.max(axis=1)[order], kind="stable")]:
        fold[group] = (held @ shares[group]).argmin()
        held[fold[group]] += shares[group]
    return fold


def clock(charter: Charter, data: Dataset) -> tuple[np.ndarray, float] | None:
    """Give the moment of every row and how long its label takes, see `moments`; `None` without a time column.

    Numbers have no unit that is known: there a delay in days means nothing.
    """
    name = charter.prediction.time_column
    if name not in data.raw:
        return None
    column = data.raw[name]
    dated = not pd.api.types.is_numeric_dtype(column) and np.isfinite(as_days(column.dropna().head(1))).all()
    return moments(column), (charter.prediction.label_delay_days or 0.0) * bool(dated)


def _by_time(times: np.ndarray, delay: float, start: float, parts: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut what follows a share of the rows into parts; before each stands what was known when it began."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = _between_moments(ordered, len(order) * (start + (1 - start) * np.arange(parts) / parts))
    for first, last in itertools.pairwise([*cuts, len(order)]):
        yield order[: min(first, np.searchsorted(ordered, ordered[first] - delay, "right"))], order[first:last]


def _between_moments(ordered: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Move cuts to the nearest places where time moves on: cases of one moment know each other's outcome."""
    places = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return np.unique([places[np.abs(places - cut).argmin()] for cut in wanted]) if len(places) else places


def _usable(data: Dataset, learn: np.ndarray, validate: np.ndarray) -> bool:
    """Say whether every candidate can learn from one part and be scored on the other."""
    if not data.classes:
        return len(learn) >= FEWEST and len(validate) >= 2
    counts = np.bincount(data.outcome[learn], minlength=len(data.classes))
    return bool(counts.min() >= FEWEST) and len(np.unique(data.outcome[validate])) > 1


def _counted(data: Dataset, found: Split) -> str:
    if not data.classes:
        return f"{len(found.train):,} cases to learn from, {len(found.test):,} to test on"
    parts = [np.bincount(data.outcome[rows], minlength=len(data.classes)) for rows in (found.train, found.test)]
    return "; ".join(
        f"{name}: {learn:,} to learn from, {test:,} to test on"
        for name, learn, test in zip(data.classes, *parts, strict=True)
    )


def groups(charter: Charter, data: Dataset, rows: np.ndarray) -> np.ndarray | None:
    """Number what rows belong together: the charter's groups, and what seems so; `None` where each stands alone."""
    units, _ = _together(charter, data)
    return None if units is None else pd.factorize(units[rows])[0]


def _together(charter: Charter, data: Dataset) -> tuple[np.ndarray | None, list[str]]:
    prediction, why = charter.prediction, []
    found = []
    if prediction.group_column in data.raw:
        found.append(together.own_missing(together.codes(data.raw[prediction.group_column])))
        why.append(f"whole groups of {prediction.group_column}")
    if prediction.time_column not in data.raw:  # else what comes again later is what the model will meet
        for name in (unanswered(charter, data), prediction.id_column):
            if name in data.raw and data.raw[name].dropna().duplicated().any():
                found.append(together.own_missing(together.codes(data.raw[name])))
                why.append(f"rows of one {name} together")
        if data.copies is not None:
            found.append(data.copies)
            why.append(f"copies of rows together ({len(data.copies) - data.copies.max() - 1:,} repeat another row)")
    return (functools.reduce(together.joined, found) if found else None), why


def unanswered(charter: Charter, data: Dataset) -> str | None:
    """Name the column of which nobody has said whether its rows belong together, though it looks like it."""
    prediction = charter.prediction
    said = {prediction.id_column, *prediction.annotators, *prediction.immutable}
    asked = [name for name in data.repeating if name not in said]
    if prediction.group_column in data.raw or prediction.time_column in data.raw or not asked:
        return None
    return min(asked, key=lambda name: data.repeating[name])


def some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Draw at most so many of the rows; they stay in their order, which may be that of time."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]


def in_turn(codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shuffle places so that every start of them holds the classes as equally often as can be: of a rare one, all."""
    shuffled = random.permutation(len(codes))
    drawn = pd.Series(codes[shuffled])
    return shuffled[np.argsort(drawn.groupby(drawn).cumcount(), kind="stable")]


def folds(
    charter: Charter, data: Dataset, train: np.ndarray, folds: int, repeats: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the training set again and again, in the same way in which the test set was split off.

    Where a class or the groups are too few for so many parts, there are fewer parts; those from which no candidate
    could learn, or on which none could be scored, are left out.

    Returns
    -------
    list of (learn, validate)
        Row numbers of the data set.

    Raises
    ------
    UserError
        If fewer than two splits are left.
    """
    found = [(train[learn], train[validate]) for learn, validate in _folds(charter, data, train, folds, repeats, seed)]
    usable = [parts for parts in found if _usable(data, *parts)]
    if len(usable) < 2:
        counts = np.bincount(data.outcome[train], minlength=len(data.classes)) if data.classes else np.array([])
        rarest = f"; rarest class: {data.classes[counts.argmin()]} ({counts.min():,})" if len(counts) else ""
        told = f"{len(usable)} usable splits of {len(train):,} cases, with folds={folds} and repeats={repeats}{rarest}"
        raise UserError(
            "There are too few cases for a cross-validation.",
            found=told,
            expected="two or more, each with every class to learn from and more than one class to score on",
            fix="collect more cases, raise `sample`, put a rare class together with another, or use folds=5, repeats=2",
        )
    return usable


def _folds(
    charter: Charter, data: Dataset, train: np.ndarray, folds: int, repeats: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from sklearn import model_selection as select

    known = clock(charter, data)
    if known is not None:
        if folds >= 2:
            yield from _by_time(known[0][train], known[1], FIRST_LEARN, folds)
        return
    outcome, units = data.outcome[train], groups(charter, data, train)
    most = int(np.bincount(outcome).min()) if data.classes else len(train)
    if units is not None:
        most = min(most, units.max() + 1)
    folds = min(folds, most)
    for repeat in range(repeats if folds >= 2 else 0):
        if units is not None:
            fold = _dealt(_counts(data, train, units), folds, np.random.default_rng(seed + repeat))[units]
            yield from ((np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(folds))
        else:
            kind: Any = select.StratifiedKFold if data.classes else select.KFold
            yield from kind(folds, shuffle=True, random_state=seed + repeat).split(train, outcome)
