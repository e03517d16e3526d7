"""Dates whose day and month are swapped, or may be."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data.encoding import EPOCH, day
from lab2live.eda.checks import earlier
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import Finding, Skip, finding
from lab2live.eda.checks.survey import MOSTLY, Survey, in_part
from lab2live.reporting.formatting import amount

NUMBERED = re.compile(r"\s*(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?:[T ,].*)?\s*")
ISO = re.compile(r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ].*)?\s*")
# A chance of less than this is none.
SURE = 1e-6
# Fewer rows than this are single errors, which nobody can tell from honest outliers.
FEWEST = 5
# Texts by which a column is judged before it is read as a whole.
LOOKED_AT = 500
# Swapping moves a date by 28 days or more; what follows another column more closely than this shows it.
CLOSE = 8.0


def date_order(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find dates whose day and month are swapped, or may be.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Texts like 03/04/2024 are judged by what only one order can read; real dates by the earlier extract, by other
        columns that they follow, and by dates that leave the range of those that cannot be swapped (day above 12).

    Returns
    -------
    list of Finding
        At most one per column.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        one = _order_of_texts(survey, column) if known.kind == "text" else None
        if one is None and column in survey.days:
            one = _swapped(survey, column)
        if one:
            found.append(one)
    return found


def _order_of_texts(survey: Survey, column: str) -> Finding | None:
    """Judge dates like 03/04/2024, which two orders can read."""
    written = survey.as_written(column)
    if written is None:
        return None
    values = written.dropna().astype(str)
    # plain ISO dates are the rule
    if sum(text[4:5] != "-" for text in values) < FEWEST or not any(map(NUMBERED.fullmatch, values.head(LOOKED_AT))):
        return None
    parts = values.str.extract(f"^{NUMBERED.pattern}$")
    numbered = parts[0].notna().to_numpy()
    iso = values.str.fullmatch(ISO.pattern).to_numpy()
    if numbered.sum() < FEWEST or (numbered | iso).mean() < MOSTLY:
        return None
    shown = values[numbered]
    first, second = (parts.loc[numbered, number].astype(int) for number in (0, 2))
    day_first, month_first = (first > 12) & (second <= 12), (second > 12) & (first <= 12)
    if day_first.any() and month_first.any():
        rarer = day_first if day_first.sum() < month_first.sum() else month_first
        both = int(((first <= 12) & (second <= 12) & (first != second)).sum())
        what = (
            f"mixes two orders: {amount(int(day_first.sum()), 'date')} can only be day before month, "
            f"{int(month_first.sum()):,} only month before day, and {both:,} can be read both ways"
        )
        return in_part(
            "consistency.date_order",
            survey,
            column,
            float(rarer.sum() / len(values)),
            int(rarer.sum()),
            what,
            shown[rarer],
            "form",
        )
    if iso.any():
        rest = shown if len(shown) < iso.sum() else values[iso]
        what = f"mixes dates written year first with others ({len(rest):,} in the minority)"
        return in_part("consistency.date_order", survey, column, len(rest) / len(values), len(rest), what, rest, "form")
    where = f"{column} of {survey.name}"
    if day_first.any() or month_first.any() or (parts[1] == ".").all():
        order = "month before day" if month_first.any() else "day before month"
        what = f"{where} is written {order} throughout{survey.basis}."
        return finding("consistency.date_order", survey.name, column, "info", 0, 0, what, 0, shown)
    if (first == second).all():
        return None
    what = f"{where} can be read as day before month and as month before day, and nothing proves one{survey.basis}."
    return finding("consistency.date_order", survey.name, column, "warn", 1, 0, what, len(shown), shown)


def _swapped(survey: Survey, column: str) -> Finding | None:
    """Look for swapped dates among real ones, by whatever shows them."""
    days = survey.days[column]
    other = swap(days)
    able = np.abs(other - days) > 0.5
    if able.sum() < FEWEST:
        return None
    for rows, why, witness in _signs_of_swaps(survey, column, days, other, able):
        if len(rows) >= FEWEST:
            share = len(rows) / int(np.isfinite(days).sum())
            what = f"has day and month swapped in {amount(len(rows), 'row')} or more ({share:.1%}): {why}"
            shown = [f"{day(days[row])} -> {day(other[row])}" for row in rows[:3]]
            return in_part("consistency.date_order", survey, column, share, len(rows), what, shown, witness)
    return None


def _signs_of_swaps(
    survey: Survey, column: str, days: np.ndarray, other: np.ndarray, able: np.ndarray
) -> Iterator[tuple[np.ndarray, str, Witness | None]]:
    before = survey.earlier.days.get(column) if survey.earlier else None
    now, then = earlier.pairs(survey)
    if before is not None and len(now):
        same = able[now] & (np.abs(other[now] - before[then]) < 1 / 86_400)
        yield now[same], "the earlier extract has them the other way round", "snapshot"
    for name, expected in _guides(survey, column):
        rows = _nearer_when_swapped(days - expected, other - expected, able)
        if len(rows):
            yield rows, f"the other way round they would follow {name}, as the other rows do", None
    yield _outside(days, other, able), "they lie outside the range of dates whose day is above 12", None


def swap(days: np.ndarray) -> np.ndarray:
    """Exchange day and month; NaN where the day is above 12, which no month is."""
    year, month, of_month = parts_of(days)
    able = of_month <= 12
    moved = (
        (np.where(able, year, 1970) - 1970).astype("datetime64[Y]").astype("datetime64[M]")
        + (np.where(able, of_month, 1) - 1).astype("timedelta64[M]")
    ).astype("datetime64[D]") + (np.where(able, month, 1) - 1).astype("timedelta64[D]")
    whole = (moved - np.datetime64("2000-01-01")).astype(float)
    return np.where(able, whole + days - np.floor(days), np.nan)


def parts_of(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give year, month and day of month; 0, 0 and 99 where there is no date."""
    there = np.isfinite(days)
    dates = np.datetime64("2000-01-01") + np.floor(np.where(there, days, 0)).astype("timedelta64[D]")
    months = dates.astype("datetime64[M]")
    of_month = (dates - months).astype(int) + 1
    number = months.astype(int)
    return (
        np.where(there, 1970 + number // 12, 0),
        np.where(there, number % 12 + 1, 0),
        np.where(there, of_month, 99),
    )


def _guides(survey: Survey, column: str) -> Iterator[tuple[str, np.ndarray]]:
    """Give what the date of every row should be close to, going by each other column and by the order of the rows."""
    days = survey.days[column]
    rows = np.arange(len(days), dtype=float)
    others = {name: values for name, values in survey.days.items() if name != column}
    for name, by in (("the order of the rows", rows), *others.items(), *survey.numbers.items()):
        usable = np.isfinite(by) & np.isfinite(days)
        if usable.sum() < 50:
            continue
        order = np.flatnonzero(usable)[np.argsort(by[usable], kind="stable")]
        # cheap first: neighbours of a guide are close to each other, most of them
        if np.median(np.abs(np.diff(days[order]))) > CLOSE:
            continue
        expected = np.full(len(days), np.nan)
        expected[order] = pd.Series(days[order]).rolling(21, center=True, min_periods=5).median().to_numpy()
        if np.nanmedian(np.abs(days - expected)) <= CLOSE:
            yield name, expected


def _nearer_when_swapped(now: np.ndarray, swapped: np.ndarray, able: np.ndarray) -> np.ndarray:
    """Find rows far from where they should be that come close once they are swapped, more than chance would do it."""
    spread = max(1.0, 1.4826 * float(np.nanmedian(np.abs(now))))
    close = 4 * spread
    far = np.abs(now) > max(20.0, 8 * spread)
    near = far & able & (np.abs(swapped) <= close)
    # a date that is wrong for another reason would land there once in so many times, in one of twelve months
    chance = min(0.5, (2 * close + 31) / 365)
    surprise = stats.binom.sf(near.sum() - 1, int((far & np.isfinite(now)).sum()), chance)
    return np.flatnonzero(near) if near.sum() and surprise < SURE else np.array([], dtype=int)


def _outside(days: np.ndarray, other: np.ndarray, able: np.ndarray) -> np.ndarray:
    """Find dates beyond all that cannot be swapped, which come back when they are.

    Of honest dates out there, as many as anywhere have a day above 12: that none of them has is the sign.
    """
    nothing = np.array([], dtype=int)
    there = np.isfinite(days)
    sure = there & np.isnan(other)
    if sure.sum() < 0.3 * there.sum() or sure.sum() < 50:
        return nothing  # dates of months, or of due days: their days say nothing
    low, high = np.sort(days[sure])[[0, -1]]
    year, month, _ = parts_of(np.array([low, high]))
    # honest days up to 12 of the month in which the range begins, and of the month after its end
    first = _month(int(year[0]), int(month[0]))
    last = _month(int(year[1]), int(month[1]) + 1) + 12
    found = []
    for beyond in (there & (days < first), there & (days >= last)):
        back = beyond & able & (other >= first) & (other < last)
        honest = 1 - float(sure.sum() / there.sum())
        if (
            back.sum() >= FEWEST
            and back.sum() >= 0.9 * beyond.sum()
            and (0.7 * honest) ** len(np.unique(days[back])) < SURE
        ):
            found.append(np.flatnonzero(back))
    return np.sort(np.concatenate(found)) if found else nothing


def _month(year: int, month: int) -> float:
    return float((dt.date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1) - EPOCH.date()).days)
