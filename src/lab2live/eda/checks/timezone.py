"""Times of which a part is in another zone."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.encoding import EPOCH
from lab2live.eda.checks import earlier, rhythm
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.date_order import parts_of
from lab2live.eda.checks.findings import EXAMPLES, Finding, Skip
from lab2live.eda.checks.survey import Survey, in_part
from lab2live.reporting.formatting import agree, amount

# Fewer rows than this are single errors.
FEWEST = 5
OFFSET = re.compile(r"\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)\s*$")
# Hours by which time zones differ.
MOST_HOURS = 14


def timezone(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find times of which a part is shifted by whole hours.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Offsets written in texts, the earlier extract, the order of the rows, and the rhythm of the day are looked at.

    Returns
    -------
    list of Finding
        At most one per column.
    """
    found: list[Finding | Skip] = []
    for column in survey.facts:
        if column not in survey.days:
            continue
        days = survey.days[column]
        # dates without a time of day, or with one that is always the same, have no zone
        if np.isfinite(days).sum() < 2 or pd.Series(np.floor(days * 24 % 24)).nunique() < 3:
            continue
        one = _offsets(survey, column)
        if one is None:
            one = _shifted(survey, column)
        if one:
            found.append(one)
    return found


def _offsets(survey: Survey, column: str) -> Finding | None:
    """Find texts with different offsets, or with and without one."""
    values = survey.as_written(column)
    if values is None:
        return None
    values = values.dropna().astype(str)
    if not any(text[-1:] in "ZzC" or "+" in text or "-" in text[11:] for text in values):
        return None
    offset = values.str.extract(OFFSET.pattern)[0].fillna("none").replace({"z": "Z", "UTC": "Z", "+00:00": "Z"})
    counts = offset.value_counts()
    if len(counts) < 2 or _is_summer_time(survey.days[column], offset, counts):
        return None
    rare = offset != counts.index[0]
    named = ", ".join(f"{name}: {times:,}" for name, times in counts.head(4).items())
    what = f"is written with different offsets from UTC ({named})"
    share = float(rare.mean())
    return in_part("consistency.timezone", survey, column, share, int(rare.sum()), what, values[rare])


def _is_summer_time(days: np.ndarray, offset: pd.Series, counts: pd.Series) -> bool:
    """Say whether two offsets are one place's winter and summer: one hour apart, and hardly ever in the same month."""
    hours = [0.0 if name == "Z" else _hours(str(name)) for name in counts.index if name != "none"]
    if len(counts) != 2 or len(hours) != 2 or abs(hours[0] - hours[1]) != 1 or len(days) <= max(offset.index):
        return False
    table = pd.crosstab(pd.Series(parts_of(days[offset.index])[1], index=offset.index), offset)
    return bool(table.min(axis=1).sum() <= 0.15 * table.to_numpy().sum() and counts.min() > 0.1 * counts.sum())


def _hours(offset: str) -> float:
    digits = offset[1:].replace(":", "")
    return (int(digits[:2]) + int(digits[2:] or 0) / 60) * (-1 if offset[0] == "-" else 1)


def _shifted(survey: Survey, column: str) -> Finding | None:
    days = survey.days[column]
    before = survey.earlier.days.get(column) if survey.earlier else None
    signs: list[tuple[np.ndarray, float, str, Witness | None]] = []
    now, then = earlier.pairs(survey)
    if before is not None and len(now):
        rows, hours = _whole_hours(24 * (days[now] - before[then]))
        signs.append((now[rows], hours, "since the earlier extract", "snapshot"))
    if not signs or len(signs[0][0]) < FEWEST:
        for name, by in rhythm.orders(survey, column):
            signs.append((*rhythm.out_of_order(days, by), f"going by {name}", None))
    for rows, hours, why, witness in signs:
        if len(rows) >= FEWEST:
            share = len(rows) / int(np.isfinite(days).sum())
            return _said(survey, column, len(rows), share, hours, why, days[rows], witness)
    part = rhythm.second_copy(survey, column)
    if part is None:
        return None
    number, hours, why, rows = part
    return _said(survey, column, number, number / int(np.isfinite(days).sum()), hours, why, days[rows])


def _said(
    survey: Survey,
    column: str,
    rows: int,
    share: float,
    hours: float,
    why: str,
    days: np.ndarray,
    witness: Witness | None = None,
) -> Finding:
    step = f"{hours:+g} {agree(abs(hours), 'hour', 'hours')}"
    what = f"is shifted by {step} in {amount(rows, 'row')} or so ({share:.1%}), {why}"
    moments = [EPOCH + dt.timedelta(seconds=round(value * 86_400)) for value in days[:EXAMPLES]]
    shown = [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
    return in_part("consistency.timezone", survey, column, share, rows, what, shown, witness)


def _whole_hours(hours: np.ndarray) -> tuple[np.ndarray, float]:
    """Find differences that are exactly one number of whole or half hours."""
    moved = np.isfinite(hours) & (np.abs(hours) > 0.01) & (np.abs(hours) <= MOST_HOURS)
    halves = np.round(2 * hours) / 2
    exact = moved & (np.abs(hours - halves) < 0.001) & (halves != 0)
    if not exact.any():
        return np.array([], dtype=int), 0.0
    most = pd.Series(halves[exact]).mode().iloc[0]
    rows = np.flatnonzero(exact & (halves == most))
    # corrections by people differ by all sorts of times
    return (rows, float(most)) if len(rows) > 0.5 * moved.sum() else (np.array([], dtype=int), 0.0)
