"""Jumps of level in time (L4b): a step that no trend, season or weekly rhythm explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data.encoding import day
from lab2live.eda.checks.findings import Finding, Skip, finding
from lab2live.eda.checks.spikes import sentinels_of_days
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.tails import normal_scores

# A step has to explain this much more than anything smooth, in squared errors in units of the noise. By chance alone
# one column in ten thousand has such a step at some moment; it also has to pass what follows.
SURE = 20.0
# ... and be this large, in standard deviations of the column's scores: smaller ones hardly matter to a model.
SIZE = 0.15
# ... and this many times the largest difference between neighbouring stretches anywhere else: a season has many.
SHARP = 1.4
# So much of it has to be left in the stretches next to it, and without the periods right before or right after it.
LASTING = 0.5
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
# A column of fewer different values is compared as it is.
FEW_LEVELS = 20


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
    daily
        Whether periods are days, else weeks or longer.
    smooth
        What levels may do without a jump, from simple to flexible: trend, bend, seasons, each with days of the week.
    """

    of_row: np.ndarray
    middle: np.ndarray
    rows: np.ndarray
    daily: bool
    smooth: tuple[np.ndarray, ...]


def level_shift(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find a sudden, lasting jump of the level of a number column, or of how often it is empty.

    Mean normal scores per period are regressed on what may change smoothly (trend, seasons, days of the week), with and
    without a step at every moment, as in the test for a break at an unknown moment (Andrews, 1993); how flexible the
    smooth part has to be is decided by the Bayesian information criterion (Schwarz, 1978), for both. The step has to be
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
        usual = _dominating(numbers[there])
        if usual is not None:
            # zeros do not rise with the others: these are compared among themselves
            numbers = np.where(numbers == usual, np.nan, numbers)
        if np.isfinite(numbers).sum() > FEWEST_PERIODS * FEWEST_ROWS:
            names.append(column)
            series.append(normal_scores(numbers))
            gaps.append(False)
        if GAP_SHARE < (~there).mean() < 1 - GAP_SHARE:
            names.append(column)
            series.append((~there).astype(float) / float((~there).std()))
            gaps.append(True)
    found: list[Finding | Skip] = []
    for column, scores, gap in zip(names, series, gaps, strict=True):
        jump = _jump(periods, scores)
        if jump is not None:
            found.append(_shift(survey, column, clock, periods, jump, scores, gap))
    return found


def _dominating(values: np.ndarray) -> float | None:
    """Give the value that more than a third of many different ones are, such as a zero."""
    different, times = np.unique(values, return_counts=True)
    if len(different) <= FEW_LEVELS or times.max() <= len(values) / 3:
        return None
    return float(different[times.argmax()])


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
    return Periods(of_row, middle, rows, weekly is not None, _smooth(middle, None if weekly is None else weekly[kept]))


def _smooth(middle: np.ndarray, weekday: np.ndarray | None) -> tuple[np.ndarray, ...]:
    time = (middle - middle.mean()) / np.ptp(middle)
    angle = 2 * np.pi * middle / YEAR
    powers = [np.ones_like(time), time, time**2, time**3]
    year = [np.sin(angle), np.cos(angle)]
    families = [powers[:1], powers[:2]]
    if len(time) >= 2 * FEWEST_PERIODS:
        families += [powers[:3], powers]
    if np.ptp(middle) > 0.7 * YEAR and len(time) >= 2 * FEWEST_PERIODS:
        seasons = [*year, np.sin(2 * angle), np.cos(2 * angle), _before_christmas(middle)]
        families += [[*powers[:1], *year], [*powers[:2], *year], [*powers[:2], *seasons], [*powers, *seasons]]
    days = [] if weekday is None else [(weekday == number).astype(float) for number in range(1, WEEK)]
    return tuple(np.column_stack([*family, *days]) for family in families)


def _before_christmas(middle: np.ndarray) -> np.ndarray:
    """Give the share of each period that lies in the five weeks before Christmas: what trade knows as its season."""
    half = float(np.median(np.diff(middle))) / 2
    days = middle[:, None] + np.linspace(-half, half, 15)
    # day 0 is a first of January
    return ((days % YEAR > 322) & (days % YEAR < 359)).mean(axis=1)


def _jump(periods: Periods, scores: np.ndarray) -> tuple[int, float] | None:
    """Give the period at which a column jumps, and by how much."""
    used = (periods.of_row >= 0) & np.isfinite(scores)
    of_row, many = periods.of_row[used], len(periods.rows)
    rows = np.bincount(of_row, minlength=many).astype(float)
    kept = rows >= FEWEST_ROWS
    count = int(kept.sum())
    if count < FEWEST_PERIODS:
        return None
    totals = np.bincount(of_row, scores[used], many)
    means, weight = totals[kept] / rows[kept], np.sqrt(rows[kept])
    between = float((totals[rows > 0] ** 2 / rows[rows > 0]).sum())
    within = max((float((scores[used] ** 2).sum()) - between) / max(1, int(used.sum()) - many), 1e-12)
    if within < (1 - FUNCTION_OF_TIME) * float(scores[used].var()):
        return None
    moments = np.arange(SIDE, count - SIDE + 1)
    steps = (np.arange(count)[:, None] >= moments).astype(float) * weight[:, None]
    fits = [_fit(family[kept] * weight[:, None], means * weight, steps) for family in periods.smooth]
    freedom = count - periods.smooth[-1].shape[1] - 1
    if freedom < 4:
        return None
    # what not even the most flexible family with a step explains is noise, and so is the variation inside of periods
    noise = max(within, fits[-1][1] / freedom)
    price = [family.shape[1] * np.log(count) for family in periods.smooth]
    smooth = min(without / noise + cost for (without, *_), cost in zip(fits, price, strict=True))
    stepped = [with_step / noise + cost for (_, with_step, *_), cost in zip(fits, price, strict=True)]
    best = int(np.argmin(stepped))
    _, _, number, step = fits[best]
    if smooth - stepped[best] < SURE or abs(step) < SIZE:
        return None
    family, moment = periods.smooth[best][kept], int(moments[number])
    if not _lasts(family, means, weight, moment, step, periods.daily) or not _is_sharp(
        family, means, weight, moment, step
    ):
        return None
    return int(np.flatnonzero(kept)[moment]), step


def _fit(family: np.ndarray, level: np.ndarray, steps: np.ndarray) -> tuple[float, float, int, float]:
    """Give the squared errors without and with the best step, the number of that step and its height."""
    basis = np.linalg.qr(family)[0]
    rest = level - basis @ (basis.T @ level)
    steps = steps - basis @ (basis.T @ steps)
    size = np.maximum((steps**2).sum(axis=0), 1e-12)
    height = steps.T @ rest / size
    best = int((height**2 * size).argmax())
    without = float((rest**2).sum())
    return without, max(without - float(height[best] ** 2 * size[best]), 0.0), best, float(height[best])


def _lasts(family: np.ndarray, level: np.ndarray, weight: np.ndarray, moment: int, step: float, daily: bool) -> bool:
    """Say whether the step can be seen as it is, and without the periods right before or right after it.

    Flexible seasons can make up a step that nobody sees, and a few special weeks make one when they begin and end.
    """
    near = WEEK if daily else SIDE
    if float(level[moment:][:near].mean() - level[:moment][-near:].mean()) * np.sign(step) < LASTING * abs(step):
        return False
    number = np.arange(len(level))
    for left_out in ((moment - SIDE <= number) & (number < moment), (moment <= number) & (number < moment + SIDE)):
        if left_out[0] or left_out[-1] or (number[~left_out] >= moment).sum() < 2:
            continue
        design = np.column_stack([family, number >= moment])[~left_out] * weight[~left_out, None]
        again = np.linalg.lstsq(design, (level * weight)[~left_out], rcond=None)[0][-1]
        if again * np.sign(step) < LASTING * abs(step):
            return False
    return True


def _is_sharp(family: np.ndarray, level: np.ndarray, weight: np.ndarray, moment: int, step: float) -> bool:
    """Hold the stretch before a moment against the one after it, and all other such pairs against that."""
    after_it = (np.arange(len(level)) >= moment).astype(float)
    shape = np.linalg.lstsq(family * weight[:, None], (level - step * after_it) * weight, rcond=None)[0]
    rows, rest = weight**2, level - family @ shape
    width = max(SIDE, len(level) // 8)
    sums, sizes = (np.concatenate([[0.0], np.cumsum(part)]) for part in (rest * rows, rows))
    middle = np.arange(SIDE, len(level) - SIDE + 1)
    first, last = np.maximum(middle - width, 0), np.minimum(middle + width, len(level))
    before = (sums[middle] - sums[first]) / (sizes[middle] - sizes[first])
    after = (sums[last] - sums[middle]) / (sizes[last] - sizes[middle])
    there = float((after - before)[middle == moment][0]) * np.sign(step)
    elsewhere = np.abs(after - before)[np.abs(middle - moment) >= width]
    return there > LASTING * abs(step) and there > SHARP * float(elsewhere.max(initial=0))


def _shift(
    survey: Survey,
    column: str,
    clock: str,
    periods: Periods,
    jump: tuple[int, float],
    scores: np.ndarray,
    gap: bool,
) -> Finding:
    period, step = jump
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
        "drift.change_point",
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
