"""Days without rows, and values that pause while the others go on (L4c)."""

from __future__ import annotations

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data.encoding import day
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.levels import Levels, levels_of
from lab2live.eda.checks.survey import Survey

FEWEST_ROWS, FEWEST_PERIODS = 100, 8
# Days on each side of a gap from which is told what to expect, at least; four weeks hold every weekday four times.
AROUND = 28
# So many rows are expected in a gap, in units of what one independent event is: days come in bursts.
EXPECTED = 25.0
# More is missing in a gap than in all others, by this factor: closed days and sparse data leave many.
LONGER = 2.0
# A gap between the few days that have rows at all appears by chance with at most this probability.
SURE = 1e-5
# The longest gaps are compared.
COMPARED = 20
# Dates further apart than this are no record of what happened day by day.
MOST_DAYS = 200_000
# Month and day on which hardly anything happens anywhere.
CLOSED = {(1, 1), (12, 25), (12, 26)}
# In all other stretches of time a value that pauses has at least this share of what is expected.
EVERYWHERE = 0.3
FEWEST_STRETCHES = 6
FAIL = 0.2
# Dates are those of weeks, months or quarters if this share of their distances is the same.
REGULAR = 0.8
# Periods on each side of a missing one.
NEAR = 4


def time_gap(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find periods in which nothing is recorded, or one value is not while the others are.

    Returns
    -------
    list of Finding
        `value` is the share of rows that are missing by estimate.
    """
    found: list[Finding | Skip] = []
    categories: list[Levels] | None = None
    for name, days in survey.days.items():
        if name in survey.identifiers:
            continue
        known = np.isfinite(days)
        whole = np.floor(days[known] + 1e-9).astype(np.int64)
        if len(whole) < FEWEST_ROWS or np.ptp(whole) > MOST_DAYS:
            continue
        gap = _empty_days(whole)
        if gap is not None:
            found.append(_finding(survey, name, "", *gap, len(whole)))
            continue
        categories = levels_of(survey) if categories is None else categories
        for one in categories:
            paused = _pause(whole, one.codes[known], len(one.values))
            if paused is not None:
                code, start, stop, expected = paused
                of = f"{one.name} = {one.text(code)}"
                found.append(_finding(survey, name, of, start, stop, expected, len(whole)))
    return found


def _finding(survey: Survey, name: str, of: str, start: int, stop: int, expected: float, rows: int) -> Finding:
    share = expected / (rows + expected)
    first, last = day(start), day(stop)
    period = f"on {first}" if first == last else f"from {first} to {last}"
    what = (
        f"{survey.name} has no rows {f'with {of} ' if of else ''}{period} by {name}, where about {expected:,.0f} "
        f"({share:.1%}) are to be expected from the time around{survey.basis}."
    )
    severity: Severity = "fail" if share > FAIL else "warn"
    return finding("completeness.time_gap", survey.name, name, severity, share, 0, what, None, [f"{first} to {last}"])


def _empty_days(days: np.ndarray) -> tuple[int, int, float] | None:
    """Find the longest run of days, or months, without rows; give its first and last day and what is missing."""
    distinct, times = np.unique(days, return_counts=True)
    if len(distinct) < FEWEST_PERIODS:
        return None
    step = int(np.median(np.diff(distinct)))
    # months are 28 to 31 days apart
    regular = float((np.abs(np.diff(distinct) - step) <= 0.15 * step).mean()) >= REGULAR
    if step >= 7 and regular:
        return _empty_periods(distinct, times, step)
    start = int(distinct[0])
    counts = np.bincount(days - start).astype(float)
    zero = counts == 0
    weekday = (np.arange(len(counts)) + start + 5) % 7  # 2000-01-01 was a Saturday
    usual = np.bincount(weekday, weights=counts, minlength=7) / np.maximum(np.bincount(weekday, minlength=7), 1)
    closed = usual < 0.02 * usual.max()
    # weekdays on which nothing ever happens end no gap and make none
    runs = _runs(zero | closed[weekday], zero & ~closed[weekday])
    if not runs:
        return None
    runs = sorted(runs, key=lambda run: run[0] - run[1])[:COMPARED]
    missing = [_missing(counts, weekday, usual, *run) for run in runs]
    at = int(np.argmax(missing))
    others = np.delete(missing, at)
    if missing[at] < EXPECTED or (len(others) and missing[at] < LONGER * others.max()):
        return None
    first, last = runs[at]
    if _usual(zero & ~closed[weekday], ~closed[weekday], first, last):
        return None
    if last - first == 1 and _is_holiday(start + first):
        return None
    return start + first, start + last - 1, missing[at]


def _usual(zero: np.ndarray, counted: np.ndarray, first: int, last: int) -> bool:
    """Say whether days with rows are so rare that chance leaves a run as long as this between two of them."""
    days, length = int(counted.sum()), int(zero[first:last].sum())
    active = int((counted & ~zero).sum())
    return active * (1 - active / max(days - length, active)) ** length > SURE


def _missing(counts: np.ndarray, weekday: np.ndarray, usual: np.ndarray, first: int, last: int) -> float:
    """Say how many rows a run of empty days should have, in independent events: the lower of what both sides tell."""
    width = max(AROUND, last - first)
    sides = [np.arange(max(0, first - width), first), np.arange(last, min(len(counts), last + width))]
    if not all(map(len, sides)):
        return 0.0
    rates = [_weekday_rates(counts, weekday, side) for side in sides]
    expected = float(np.minimum(*(rate[weekday[first:last]] for rate in rates)).sum())
    near = np.concatenate(sides)
    predicted = np.maximum(usual[weekday[near]], 1e-9)
    level = counts[near].sum() / predicted.sum()
    # days on which many rows come at once are one event, not many
    burst = float(np.mean((counts[near] - level * predicted) ** 2) / max(counts[near].mean(), 1e-9))
    return expected / max(1.0, burst)


def _runs(quiet: np.ndarray, counted: np.ndarray) -> list[tuple[int, int]]:
    """Give the start and end of every run of quiet days that has at least one that counts."""
    edges = np.flatnonzero(np.diff(np.r_[False, quiet, False].astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if counted[a:b].any()]


def _weekday_rates(counts: np.ndarray, weekday: np.ndarray, days: np.ndarray) -> np.ndarray:
    number = np.bincount(weekday[days], minlength=7)
    total = np.bincount(weekday[days], weights=counts[days], minlength=7)
    return np.where(number > 0, total / np.maximum(number, 1), counts[days].mean())


def _is_holiday(number: int) -> bool:
    _, month, date = map(int, day(number).split("-"))
    return (month, date) in CLOSED


def _empty_periods(distinct: np.ndarray, times: np.ndarray, step: int) -> tuple[int, int, float] | None:
    """Find a missing week, month or quarter among dates that are all a period apart."""
    between = np.diff(distinct)
    best: tuple[int, int, float] | None = None
    for place in np.flatnonzero(between > 1.5 * step):
        near = np.r_[between[max(0, place - NEAR) : place], between[place + 1 : place + 1 + NEAR]]
        sides = times[max(0, place + 1 - NEAR) : place + 1], times[place + 1 : place + 1 + NEAR]
        if near.max() > 1.5 * step or min(map(len, sides)) < NEAR // 2:
            continue
        expected = (round(between[place] / step) - 1) * float(min(side.mean() for side in sides))
        burst = float(np.var(np.concatenate(sides)) / np.mean(np.concatenate(sides)))
        if expected / max(1.0, burst) >= EXPECTED and (best is None or expected > best[2]):
            best = int(distinct[place] + 1), int(distinct[place + 1] - 1), expected
    return best


def _pause(days: np.ndarray, codes: np.ndarray, number: int) -> tuple[int, int, int, float] | None:
    """Find the value with the longest pause, measured in rows of the others.

    In the order of time each of n rows has the value with its share p. A pause of g rows has a probability of about
    n p exp(-p g) by chance. Values of a season pause every year: the value has to be there in all other stretches as
    long as the pause.
    """
    order = np.argsort(days, kind="stable")
    days, codes = days[order], codes[order]
    # rows of one day are in no order: a pause begins after its last and ends before its first row of the day
    starts = np.searchsorted(days, days)
    stops = np.searchsorted(days, days, side="right")
    best: tuple[int, int, int, float] | None = None
    for code in range(number):
        places = np.flatnonzero(codes == code)
        share = len(places) / len(days)
        if len(places) < FEWEST_ROWS / 2:
            continue
        pauses = starts[places[1:]] - stops[places[:-1]]
        at = int(pauses.argmax())
        expected = share * float(pauses[at])
        if expected < EXPECTED + np.log(len(days)) or (best is not None and expected <= best[3]):
            continue
        if _everywhere_else(codes == code, int(stops[places[at]]), int(starts[places[at + 1]]), share):
            best = code, int(days[places[at]]) + 1, int(days[places[at + 1]]) - 1, expected
    return best


def _everywhere_else(mine: np.ndarray, start: int, stop: int, share: float) -> bool:
    length = stop - start
    windows = [mine[at : at + length] for at in range(stop, len(mine) - length + 1, length)]
    windows += [mine[at - length : at] for at in range(start, length - 1, -length)]
    if len(windows) < FEWEST_STRETCHES:
        return False
    return all(float(window.mean()) > EVERYWHERE * share for window in windows)
