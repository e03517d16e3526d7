"""What the order of rows and the rhythm of the day give away about times that moved."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lab2live.eda.checks.survey import Survey

# Half hours of a day.
BINS = 48
# Half-hour zones exist, but a shift by whole hours is what happens.
SHIFTS = [step for hours in range(1, 15) for step in (2 * hours, -2 * hours)]
# Rows that are in order: what is nearly sorted was sorted.
IN_ORDER = 0.75
FEWEST = 10
# Shifts by quarters of an hour, to hold whole hours against what lies between them.
QUARTERS = np.arange(-57, 58) / 4
ALMOST = 0.01
# Of the rows out of order so many have to fit one shift, and a shift half an hour off only this part of them.
MOST, BESIDE = 0.6, 0.85
# Levels of a category whose rhythm is compared with that of the others.
MOST_LEVELS = 30
FEWEST_OF_LEVEL = 100
# A night: so many half hours in a row hold next to nothing.
NIGHT = 8
NEXT_TO_NOTHING = 0.004
# How much better the shifted copy has to explain the rows, in log-likelihood: far beyond what 1,000 tries would give.
BETTER = 30.0


def orders(survey: Survey, column: str) -> Iterator[tuple[str, np.ndarray]]:
    """Give orders in which the times of a column may have been written: that of the rows, and those of numbers."""
    yield "the order of the rows", np.arange(len(survey.sample), dtype=float)
    for name, values in survey.numbers.items():
        if survey.facts[name].distinct > 0.9 * survey.rows:
            yield name, values


def out_of_order(days: np.ndarray, by: np.ndarray) -> tuple[np.ndarray, float]:
    """Find rows that one shift by whole hours puts back into an order that all other rows keep.

    Returns
    -------
    rows, hours
        The rows, and by how much they are late; nothing when the rows were never in order.
    """
    nothing = np.array([], dtype=int), 0.0
    usable = np.flatnonzero(np.isfinite(days) & np.isfinite(by))
    order = usable[np.argsort(by[usable], kind="stable")]
    times = 24 * days[order]
    if len(times) < 100 or (np.diff(times) >= 0).mean() < IN_ORDER - 0.1:
        return nothing
    # of two rows that exclude each other either may be the one that moved: both choices are tried
    for kept in (_longest_rising(times), len(times) - 1 - _longest_rising(-times[::-1])[::-1]):
        left = np.setdiff1d(np.arange(len(times)), kept)
        if len(kept) < IN_ORDER * len(times) or len(left) < FEWEST:
            return nothing
        place = np.searchsorted(kept, left)
        before = np.where(place > 0, times[kept[np.maximum(place - 1, 0)]], -np.inf)
        after = np.where(place < len(kept), times[kept[np.minimum(place, len(kept) - 1)]], np.inf)
        low, high = times[left] - after - ALMOST, times[left] - before + ALMOST
        fitting = np.array([((low <= shift) & (high >= shift)).mean() for shift in QUARTERS])
        hours, most = float(QUARTERS[np.argmax(fitting)]), float(fitting.max())
        # one whole number of hours for most; the half hours beside it, where honest disorder would lie too, for fewer
        beside = float(fitting[np.abs(np.abs(QUARTERS - hours) - 0.5) < ALMOST].max(initial=0.0))
        by_chance = 3 * (most / len(left)) ** 0.5
        if hours % 1 == 0 and hours and most >= MOST and beside <= min(BESIDE * most, most - by_chance):
            return np.sort(order[left[(low <= hours) & (high >= hours)]]), hours
    return nothing


def _longest_rising(times: np.ndarray) -> np.ndarray:
    """Give the positions of a longest run of values that never falls (patience sorting)."""
    tails: list[float] = []
    at: list[int] = []
    previous = np.empty(len(times), dtype=int)
    for position, value in enumerate(times.tolist()):
        place = bisect.bisect_right(tails, value)
        previous[position] = at[place - 1] if place else -1
        if place == len(tails):
            tails.append(value)
            at.append(position)
        else:
            tails[place] = value
            at[place] = position
    run = [at[-1]]
    while previous[run[-1]] >= 0:
        run.append(int(previous[run[-1]]))
    return np.array(run[::-1])


def second_copy(survey: Survey, column: str) -> tuple[int, float, str, np.ndarray] | None:
    """Find a group whose rhythm of the day is that of all others, moved by whole hours, in all or part of its rows.

    Returns
    -------
    number, hours, why, rows
        How many rows, by how much, in which group, and rows of it in the others' night; `None` when nothing shows.
    """
    days = survey.days[column]
    there = np.isfinite(days)
    bins = np.where(there, np.floor((np.where(there, days, 0) % 1) * BINS), 0).astype(int) % BINS
    for name, texts in survey.texts.items():
        if not 2 <= survey.facts[name].distinct <= MOST_LEVELS:
            continue
        codes, levels = pd.factorize(texts.where(there))
        table = np.bincount(codes[codes >= 0] * BINS + bins[codes >= 0], minlength=len(levels) * BINS)
        table = table.reshape(len(levels), BINS)
        for code, level in enumerate(levels):
            group, others = table[code], table.sum(axis=0) - table[code]
            if not FEWEST_OF_LEVEL <= group.sum() <= others.sum():
                continue
            found = _moved(group, others)
            if found:
                part, step, night = found
                rows = np.flatnonzero((codes == code) & night[bins])
                return round(part * int(group.sum())), step / 2, f"among those with {name} {level}", rows
    return None


def _moved(group: np.ndarray, others: np.ndarray) -> tuple[float, int, np.ndarray] | None:
    """Explain the rhythm of a group as a mixture of that of the others and its copy, some half hours later.

    Returns
    -------
    part, step, night
        The share of the group that moved, by how many half hours, and the half hours in which the others rest.
    """
    rate = (others + 0.5) / (others.sum() + 0.5 * BINS)
    night = _night(others / max(1, others.sum()))
    number = int(group.sum())
    # without a night a moved copy cannot be told from a group with a rhythm of its own
    if night is None or group[night].sum() < max(5, 0.02 * number):
        return None
    best = (0.0, 0.0, 0)
    alone = float((group * np.log(rate)).sum())
    for step in SHIFTS:
        copy = np.roll(rate, step)
        part = 0.3
        for _ in range(25):  # expectation and maximisation, in one unknown
            part = float((group * part * copy / (part * copy + (1 - part) * rate)).sum() / number)
        gain = float((group * np.log(part * copy + (1 - part) * rate)).sum()) - alone
        best = max(best, (gain, part, step))
    gain, part, step = best
    if gain < BETTER:
        return None
    share = group / number
    explained = part * np.roll(rate, step) + (1 - part) * rate
    noise = 0.4 * float(np.sqrt(explained).sum()) / number**0.5
    distance = 0.5 * float(np.abs(share - explained).sum())
    before = 0.5 * float(np.abs(share - rate).sum())
    return (part, step, night) if distance < 2 * noise and distance < 0.5 * before else None


def _night(share: np.ndarray) -> np.ndarray | None:
    """Give the longest run of half hours that hold next to nothing, if it is long enough."""
    quiet = np.concatenate([share, share]) < NEXT_TO_NOTHING / 2
    best, start, length = (0, 0), 0, 0
    for position, still in enumerate(quiet):
        length = length + 1 if still else 0
        start = position - length + 1
        best = max(best, (min(length, BINS), start))
    if best[0] < NIGHT:
        return None
    night = np.zeros(BINS, dtype=bool)
    night[(best[1] + np.arange(best[0])) % BINS] = True
    return night
