"""What has the model never seen? Values outside of what it learnt from, and combinations that did not occur there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.data.encoding import MISSING, OTHER, Columns, day
from lab2live.data.intervals import wilson
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount, number

if TYPE_CHECKING:
    import pandas as pd

# One familiar case in so many is called strange as a whole.
RAREST = 200
# How far beyond the lowest and highest value of the training part a number may lie, as a share of their distance: with
# few cases the extremes of the next ones lie a little further out.
ROOM = 0.1
# Cases that are learnt from, half of them for the limit; fewer than this say nothing about combinations.
MOST_LEARNT, FEWEST_LEARNT = 20_000, 200
# Steps by which a number is told; parts of a case whose combinations are looked at: the matrix of all pairs is kept.
STEPS, MOST_PARTS = 41, 200
EVEN = np.linspace(0, 1, STEPS)
# A category that is rarer than this is left out of combinations: it alone makes no strange case, it did occur.
RARE = 0.05
# From this share of strange cases on, something is told about it.
RATHER_MANY = 0.05
# How far ahead is looked, in days: a model is used for some time before anybody trains it again.
LATER = 90
# Columns named as the ones that make a combination strange.
NAMED = 3


@dataclass(frozen=True)
class Familiar:
    """What the model has seen.

    Attributes
    ----------
    ranges
        Number or date -> lowest and highest value.
    levels
        Category -> whether a rare or new one occurred, and the known ones.
    missing
        Columns that were not known for some cases.
    steps
        Number -> its quantiles, by which it is put on the scale of a normal distribution.
    parts
        What combinations are made of: a column, and a level of it or None for its number.
    centre, scale, precision
        Of these parts, shapes (parts,), (parts,), (parts, parts).
    limit
        The distance beyond which a combination is strange; infinite where there were too few cases to tell.
    dates
        Columns that are told as days.
    """

    ranges: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]
    steps: Mapping[str, tuple[float, ...]]
    parts: tuple[tuple[str, str | None], ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    limit: float
    dates: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it; an infinite limit is `null`."""
        return {**asdict(self), "limit": self.limit if np.isfinite(self.limit) else None}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Familiar:
        """Read what `to_dict` gave."""
        read = {field.name: kept[field.name] for field in fields(cls)}
        for name in ("ranges", "levels", "steps"):
            read[name] = {column: tuple(values) for column, values in read[name].items()}
        for name in ("missing", "centre", "scale", "dates"):
            read[name] = tuple(read[name])
        read["parts"] = tuple((column, level) for column, level in read["parts"])
        read["precision"] = tuple(map(tuple, read["precision"]))
        read["limit"] = np.inf if read["limit"] is None else read["limit"]
        return cls(**read)


def learn(inputs: pd.DataFrame, columns: Columns, seed: int) -> Familiar:
    """Learn what is familiar from the training part.

    Parameters
    ----------
    inputs
        Prepared cases, see `columns.prepare`.
    columns
        What the model sees.
    seed
        Of the draw and of the halves: covariances are learnt from one, the limit from the other.

    Returns
    -------
    Familiar
        Distances are Mahalanobis' (1936) on normal scores, with the covariance of Ledoit and Wolf (2004).
    """
    from sklearn.covariance import LedoitWolf
    from threadpoolctl import threadpool_limits

    from lab2live.data import splits

    numbers = {name: inputs[name].to_numpy(dtype=float) for name in columns.numbers}
    known = {name: values[np.isfinite(values)] for name, values in numbers.items()}
    known = {name: values for name, values in known.items() if len(values)}
    ranges = {name: (float(values.min()), float(values.max())) for name, values in known.items()}
    steps = {
        name: tuple(np.quantile(values, np.linspace(0, 1, STEPS)).tolist())
        for name, values in known.items()
        if np.ptp(values) > 0
    }
    levels = {name: tuple(sorted(map(str, inputs[name].unique()))) for name in columns.categories}
    missing = [name for name, values in numbers.items() if np.isnan(values).any()]
    missing += [name for name, kinds in levels.items() if MISSING in kinds]
    parts: list[tuple[str, str | None]] = [(name, None) for name in steps]
    parts += [(name, MISSING) for name in steps if RARE <= np.isnan(numbers[name]).mean() <= 1 - RARE]
    shares = {name: inputs[name].value_counts(normalize=True) for name in columns.categories}
    parts += [(name, level) for name, kinds in levels.items() for level in kinds if RARE <= shares[name][level] < 1]
    parts = parts[:MOST_PARTS]
    dates = tuple(name for name, kind in columns.kinds.items() if kind == "date")
    rows = splits.some(np.arange(len(inputs)), MOST_LEARNT, seed)
    rows = np.random.default_rng(seed).permutation(rows)
    plain = (ranges, levels, tuple(missing), steps, tuple(parts))
    if len(rows) < FEWEST_LEARNT or not parts:
        return Familiar(*plain, (0.0,) * len(parts), (1.0,) * len(parts), (), float("inf"), dates)
    matrix = _matrix(inputs.iloc[rows], steps, parts)
    first, second = matrix[: len(rows) // 2], matrix[len(rows) // 2 :]
    there = np.isfinite(first)
    centre = np.where(there, first, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    scale = np.sqrt(np.where(there, (first - centre) ** 2, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    scale = np.where(scale > 0, scale, 1.0)
    first, second = (np.nan_to_num((half - centre) / scale) for half in (first, second))
    with threadpool_limits(1):  # several threads may add numbers up in another order, and a bundle must be the same
        precision = LedoitWolf(assume_centered=True).fit(first).precision_
        apart = np.einsum("ij,jk,ik->i", second, precision, second)
    limit = float(np.quantile(apart, 1 - 1 / RAREST))
    tables = (tuple(centre.tolist()), tuple(scale.tolist()), tuple(map(tuple, precision.tolist())))
    return Familiar(*plain, *tables, limit, dates)


def _matrix(
    inputs: pd.DataFrame | Mapping[str, np.ndarray],
    steps: Mapping[str, tuple[float, ...]],
    parts: list[tuple[str, str | None]],
) -> np.ndarray:
    """Write cases as numbers: normal scores, and one column per level; NaN for what says nothing about a case."""
    from scipy.special import ndtri

    matrix = np.empty((len(inputs[str(next(iter(inputs)))]), len(parts)))
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(parts):
        places.setdefault(name, []).append(place)
    for name, own in places.items():
        if name not in steps:
            labels = np.asarray(inputs[name], dtype=object)
            is_level = labels[:, None] == np.array([str(parts[place][1]) for place in own], dtype=object)
            matrix[:, own] = np.where(is_level.any(axis=1)[:, None], is_level, np.nan)
            continue
        values, quantiles = np.asarray(inputs[name], dtype=float), np.array(steps[name])
        unknown = np.isnan(values)
        # a value that many cases share has the middle of their places, not the first
        low, high = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
        between = np.interp(values, quantiles, EVEN)
        rank = np.where(high > low, (low + high - 1) / 2 / (STEPS - 1), between)
        score = np.where(unknown, np.nan, ndtri(np.clip(rank, 0.5 / STEPS, 1 - 0.5 / STEPS)))
        for place in own:
            matrix[:, place] = unknown if parts[place][1] == MISSING else score
    return matrix


def strange(seen: Familiar, inputs: pd.DataFrame | Mapping[str, np.ndarray]) -> list[list[str]]:
    """Say for every case what the model has never seen of it; nothing for a familiar one.

    Parameters
    ----------
    inputs
        Prepared cases: a table, or arrays by column.
    """
    said: list[list[str]] = [[] for _ in inputs[str(next(iter(inputs)))]]

    def say(where: np.ndarray, text: str) -> None:
        for row in np.flatnonzero(where):
            said[row].append(text)

    for name, (low, high) in seen.ranges.items():
        values = np.asarray(inputs[name], dtype=float)
        write = day if name in seen.dates else number
        room = ROOM * (high - low)
        for row in np.flatnonzero((values < low - room) | (values > high + room)):
            between = f"what was learnt from lies between {write(low)} and {write(high)}"
            said[row].append(f"{name} is {write(float(values[row]))}; {between}.")
        if name not in seen.missing:
            say(np.isnan(values), f"{name} is not known; it always was in what was learnt from.")
    for name, levels in seen.levels.items():
        values = np.asarray(inputs[name])
        if OTHER not in levels:
            say(values == OTHER, f"{name} has a value that did not occur in what was learnt from.")
        if name not in seen.missing:
            say(values == MISSING, f"{name} is not known; it always was in what was learnt from.")
    if np.isfinite(seen.limit):
        matrix = _matrix(inputs, seen.steps, list(seen.parts))
        matrix = np.nan_to_num((matrix - np.array(seen.centre)) / np.array(seen.scale))
        pulled = matrix @ np.array(seen.precision)
        each = matrix * pulled
        for row in np.flatnonzero(each.sum(axis=1) > seen.limit):
            said[row].append(f"Such a combination hardly occurred in what was learnt from: {_named(seen, each[row])}.")
    return said


def _named(seen: Familiar, each: np.ndarray) -> str:
    """Name the columns that make a combination strange."""
    shares: dict[str, float] = {}
    for (name, _), share in zip(seen.parts, each, strict=True):
        shares[name] = shares.get(name, 0.0) + float(share)
    ordered = sorted(shares, key=lambda name: -shares[name])
    return ", ".join(ordered[:NAMED])


def later(seen: Familiar, inputs: pd.DataFrame) -> dict[str, list[bool]]:
    """Say of the newest tenth by each date whether a case would be strange, if it came `LATER` days later.

    Dates move on, all else stays: what a model meets that is used for some time, if a date is the time of the case.
    """
    found = {}
    for name in seen.dates:
        newest = inputs[inputs[name] >= inputs[name].quantile(0.9)]
        moved = newest.assign(**{date: newest[date] + LATER for date in seen.dates})
        found[name] = [bool(said) for said in strange(seen, moved)] if len(moved) else []
    return found


def evidence(said: list[list[str]], off: np.ndarray, afterwards: Mapping[str, list[bool]]) -> Evidence:
    """Give the share of held-back cases that are surely strange at least, and a sentence.

    Parameters
    ----------
    said
        See `strange`.
    off
        How wrong the model was about each of them, shape (rows,).
    afterwards
        See `later`: where dates are inputs, the share is the largest one of now and then.
    """
    share, says = _now(said, off)
    flagged = {name: sum(newest) for name, newest in afterwards.items() if newest}
    if share is None or not flagged:
        return Evidence(share, says)
    lows = {name: float(wilson(np.array(count), np.array(len(afterwards[name])))[0]) for name, count in flagged.items()}
    worst = max(lows, key=lambda name: lows[name])
    says += f" Of the newest by {worst}, {flagged[worst]:,} of {len(afterwards[worst]):,} would be {LATER} days later."
    if lows[worst] > max(share, RATHER_MANY):
        says += (
            f" If {worst} says when a case was recorded, name it as `prediction.time_column`; else let features.py "
            "make an age of it, and leave it out."
        )
    return Evidence(max(share, lows[worst]), says)


def _now(said: list[list[str]], off: np.ndarray) -> tuple[float | None, str]:
    if not said:
        return None, "There is no held-back case to look at."
    flagged = np.array([bool(one) for one in said])
    low, high = (float(end) for end in wilson(np.array(flagged.sum()), np.array(len(flagged))))
    says = (
        f"{flagged.sum():,} of {amount(len(flagged), 'held-back case')} ({low:.1%} to {high:.1%}) are unlike anything "
        "the model has learnt from"
    )
    if flagged.sum() < 20 or flagged.all():
        return low, f"{says}; too few of them, or of the others, to say whether it is worse there."
    there, else_ = float(off[flagged].mean()), float(off[~flagged].mean())
    return low, f"{says}; its mean error is {number(there, 2)} there and {number(else_, 2)} elsewhere."
