"""Jumps of level in time (L4b): a step that no trend, season or weekly rhythm explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.columns import day
from lab2live.eda.findings import Finding, Skip, finding
from lab2live.eda.spikes import sentinels_of_days
from lab2live.eda.survey import Survey
from lab2live.eda.tails import normal_scores
from lab2live.schema import Charter

# A step is a finding when it is this many standard errors away from none. Every moment of every column is tried, and
# the noise between periods is not exactly normal: 5 would do for chance alone.
SURE = 6.5
# ... this large, in standard deviations of the column's scores: smaller ones hardly matter to a model.
SIZE = 0.15
# ... and this many times the largest difference between neighbouring stretches anywhere else: a season has many.
SHARP = 1.5
# A level that time explains to this degree is a function of the date, such as a tenure.
FUNCTION_OF_TIME = 0.95
# Periods: at most this many, each with this many rows, and this many on both sides of a jump.
MOST_PERIODS = 60
FEWEST_ROWS = 10
FEWEST_PERIODS = 10
SIDE = 3
WEEK = 7
YEAR = 365.25
# Values are missing more or less often from a moment on: shares below this are everyday.
GAP_SHARE = 0.03


@dataclass(frozen=True, eq=False)
class Periods:
    """Rows sorted into stretches of time.

    Attributes
    ----------
    of_row
        The period of each row, -1 for those without a usable date.
    middle
        Of each period, as days since 2000-01-01.
    rows
        Their number in each period.
    smooth
        What levels may do without a jump: trend, bend, seasons, days of the week.
    """

    of_row: np.ndarray
    middle: np.ndarray
    rows: np.ndarray
    smooth: np.ndarray


def level_shift(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find a sudden, lasting jump of the level of a number column, or of how often it is empty.

    Mean normal scores per period are regressed on what may change smoothly (trend, seasons, days of the week) with and
    without a step at every moment, as in the test for a break at an unknown moment (Andrews, 1993). The step has to be
    sure, large, and sharper than any other difference between neighbouring stretches of time.
    """
    clock = survey.source.date_column if survey.source.date_column in survey.days else next(iter(survey.days), None)
    if clock is None:
        return []
    days = survey.days[clock]
    periods = _periods(days)
    if periods is None:
        return []
    names, series, gaps = [], [], []
    for column, numbers in survey.numbers.items():
        if column in survey.identifiers or column == charter.prediction.target:
            continue
        there = np.isfinite(numbers)
        if there.mean() > 0.5:
            names.append(column)
            series.append(normal_scores(numbers))
            gaps.append(False)
        if GAP_SHARE < (~there).mean() < 1 - GAP_SHARE:
            names.append(column)
            series.append((~there).astype(float) / max(1e-9, (~there).std()))
            gaps.append(True)
    found: list[Finding | Skip] = []
    for column, scores, gap in zip(names, series, gaps, strict=True):
        jump = _jump(periods, scores)
        if jump is not None:
            found.append(_shift(survey, column, clock, periods, jump, scores, gap))
    return found


def _periods(days: np.ndarray) -> Periods | None:
    """Cut time into weeks or multiples of them; into days or the stamps that there are where it is short or coarse."""
    usable = np.isfinite(days) & ~np.isin(days, [*sentinels_of_days(days)])
    if usable.sum() < FEWEST_PERIODS * FEWEST_ROWS:
        return None
    early, late = np.quantile(days[usable], [0.03, 0.97])
    usable &= (days >= early - (late - early) / 4) & (days <= late + (late - early) / 4)
    dates = np.floor(np.where(usable, days, early))
    start, span = float(dates[usable].min()), float(np.ptp(dates[usable]))
    stamps = np.unique(dates[usable])
    weekly = None
    if len(stamps) <= 2 * MOST_PERIODS and len(stamps) > 1 and np.median(np.diff(stamps)) >= WEEK - 1:
        of_row, middle = np.searchsorted(stamps, dates), stamps
    elif span >= 4 * WEEK:
        width = 1 if span < FEWEST_PERIODS * WEEK else WEEK * int(np.ceil((span + 1) / WEEK / MOST_PERIODS))
        of_row = ((dates - start) // width).astype(int)
        middle = start + width * (np.arange(of_row.max() + 1) + 0.5)
        weekly = np.floor(middle) % WEEK if width == 1 else None
    else:
        return None
    rows = np.bincount(of_row[usable], minlength=len(middle))
    kept = rows >= FEWEST_ROWS
    if kept.sum() < FEWEST_PERIODS:
        return None
    of_row = np.where(usable & kept[of_row], (np.cumsum(kept) - 1)[of_row], -1)
    middle, rows = middle[kept], rows[kept]
    return Periods(of_row, middle, rows, _smooth(middle, None if weekly is None else weekly[kept]))


def _smooth(middle: np.ndarray, weekday: np.ndarray | None) -> np.ndarray:
    time = (middle - middle.mean()) / np.ptp(middle)
    parts = [np.ones_like(time), time]
    if len(time) >= 2 * FEWEST_PERIODS:
        parts.append(time**2)
    if np.ptp(middle) > 1.2 * YEAR:
        angle = 2 * np.pi * middle / YEAR
        parts += [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    elif len(time) >= 2 * FEWEST_PERIODS:
        parts.append(time**3)
    if weekday is not None:
        parts += [(weekday == number).astype(float) for number in range(1, WEEK)]
    return np.column_stack(parts)


def _jump(periods: Periods, scores: np.ndarray) -> tuple[int, float, float] | None:
    """Give the period before which a column jumps, by how much, and how many standard errors that is."""
    used = (periods.of_row >= 0) & np.isfinite(scores)
    of_row, many = periods.of_row[used], len(periods.rows)
    rows = np.bincount(of_row, minlength=many).astype(float)
    kept = rows >= FEWEST_ROWS
    if kept.sum() < FEWEST_PERIODS:
        return None
    totals = np.bincount(of_row, scores[used], many)
    means = totals[kept] / rows[kept]
    within = float((scores[used] ** 2).sum() - (totals[rows > 0] ** 2 / rows[rows > 0]).sum()) / max(
        1, used.sum() - many
    )
    weight = np.sqrt(rows[kept])
    basis = np.linalg.qr(periods.smooth[kept] * weight[:, None])[0]
    level = means * weight
    rest = level - basis @ (basis.T @ level)
    count = len(means)
    freedom = count - basis.shape[1] - 1
    if freedom < 4:
        return None
    moments = np.arange(SIDE, count - SIDE + 1)
    steps = (np.arange(count)[:, None] >= moments).astype(float) * weight[:, None]
    steps -= basis @ (basis.T @ steps)
    size = np.maximum((steps**2).sum(axis=0), 1e-12)
    by = steps.T @ rest / size
    left = (rest**2).sum() - by**2 * size
    noise = np.maximum(np.maximum(left, 0) / freedom, max(within, 1e-12))
    sure = np.abs(by) * np.sqrt(size / noise)
    best = int(sure.argmax())
    step, moment = float(by[best]), int(moments[best])
    if sure[best] < SURE or abs(step) < SIZE or within < (1 - FUNCTION_OF_TIME) * float(scores[used].var()):
        return None
    after = (np.arange(count) >= moment).astype(float)
    shape = np.linalg.lstsq(periods.smooth[kept] * weight[:, None], (means - step * after) * weight, rcond=None)[0]
    if not _is_sharp(means - periods.smooth[kept] @ shape, rows[kept], moment, step):
        return None
    return int(np.flatnonzero(kept)[moment]), step, float(sure[best])


def _is_sharp(level: np.ndarray, rows: np.ndarray, moment: int, step: float) -> bool:
    """Hold the stretch before a moment against the one after it, and all other such pairs against that."""
    width = max(SIDE, len(level) // 8)
    sums, sizes = (np.concatenate([[0.0], np.cumsum(part)]) for part in (level * rows, rows))
    middle = np.arange(SIDE, len(level) - SIDE + 1)
    first, last = np.maximum(middle - width, 0), np.minimum(middle + width, len(level))
    before = (sums[middle] - sums[first]) / (sizes[middle] - sizes[first])
    after = (sums[last] - sums[middle]) / (sizes[last] - sizes[middle])
    there = float((after - before)[middle == moment][0]) * np.sign(step)
    elsewhere = np.abs(after - before)[np.abs(middle - moment) >= width]
    return there > 0.6 * abs(step) and there > SHARP * float(elsewhere.max(initial=0))


def _shift(
    survey: Survey,
    column: str,
    clock: str,
    periods: Periods,
    jump: tuple[int, float, float],
    scores: np.ndarray,
    gap: bool,
) -> Finding:
    period, step, _ = jump
    days, numbers = survey.days[clock], survey.numbers[column]
    used = (periods.of_row >= 0) & np.isfinite(scores)
    moment = _moment(periods, days, scores, used, period)
    before, after = used & (days < moment), used & (days >= moment)
    if gap:
        low, high = (f"empty in {np.isnan(numbers[part]).mean():.1%} of the rows" for part in (before, after))
    else:
        mean = len(np.unique(numbers[used])) <= 2
        low, high = (f"{(np.mean if mean else np.median)(numbers[part]):,.4g}" for part in (before, after))
        low, high = f"{'mean' if mean else 'median'} {low}", high
    what = (
        f"{column} in {survey.name} jumps on {day(moment)} ({clock}): {low} before, {high} after, "
        f"{abs(step):.1f} standard deviations{survey.basis}."
    )
    return finding(
        "outlier.level_shift",
        survey.name,
        column,
        "warn",
        abs(step),
        SIZE,
        what,
        int(after.sum()) if survey.complete else None,
        [day(moment)],
    )


def _moment(periods: Periods, days: np.ndarray, scores: np.ndarray, used: np.ndarray, period: int) -> float:
    """Find the day of the jump near the border of the period: the one that splits the rows around it best."""
    near = used & (np.abs(periods.of_row - period + 0.5) <= 2)
    dates, codes = np.unique(np.floor(days[near]), return_inverse=True)
    rows, totals = np.bincount(codes), np.bincount(codes, scores[near])
    first, total = np.cumsum(rows)[:-1], np.cumsum(totals)[:-1]
    if not len(first):
        return float(dates[0])
    apart = (total / first - (totals.sum() - total) / (rows.sum() - first)) ** 2
    return float(dates[1 + int((apart * first * (rows.sum() - first)).argmax())])
