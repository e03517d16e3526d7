"""Dates that lie after the moment of the prediction (L3): what they say did not exist yet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import day
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Severity, Skip, finding
from lab2live.reporting.formatting import amount

# Time zones and midnight may move a date by a day.
TOLERANCE = 1.0
# Below this share later dates are slips of the pen; above the other one the column looks forward on purpose, or is
# written later as a rule.
FEW, AS_A_RULE = 0.005, 0.30
# A plan (in 14 or 30 days, in 12 or 24 months) meets few of the days between its nearest and its farthest.
PLANNED_DAYS, PLANNED_SHARE = 3, 0.2
FEWEST = 20


def dates_of(data: Dataset, columns: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give the date columns that came with the data, as days; shape (rows,) each."""
    return {
        name: data.inputs[name].to_numpy()
        for name, kind in data.columns.kinds.items()
        if kind == "date" and name in columns
    }


def after_the_moment(
    charter: Charter,
    dates: Mapping[str, np.ndarray],
    origin: Mapping[str, str],
) -> list[Finding | Skip]:
    """Find dates later than the time column; without one, dates can only be held against the outcome.

    Returns
    -------
    list of Finding
        `value` is the share of filled rows whose date is later. Dates that keep to a plan (due in 30 days) are remarks.
    """
    name = charter.prediction.time_column
    if name is None or name not in dates:
        return []
    found: list[Finding | Skip] = []
    for other, days in dates.items():
        ahead = days - dates[name]
        filled = np.isfinite(ahead)
        later = filled & (ahead > TOLERANCE)
        share = later.sum() / max(filled.sum(), 1)
        if other == name or later.sum() < FEWEST or share <= FEW:
            continue
        planned = share > AS_A_RULE and _keeps_to_a_plan(ahead[later])
        severity: Severity = "info" if planned else "warn"
        about = " They keep to a plan: known in advance, if the plan is." if planned else ""
        what = (
            f"{other} is later than {name} in {amount(later.sum(), 'row')} ({share:.1%} of those that have it), by "
            f"{amount(round(float(np.median(ahead[later]))), 'day')} in the middle.{about}"
        )
        places = np.flatnonzero(later)[:EXAMPLES]
        shown = [f"{day(days[place])} after {day(dates[name][place])}" for place in places]
        found.append(
            finding(
                "leakage.time",
                origin.get(other, JOINED),
                other,
                severity,
                share,
                FEW,
                what,
                int(later.sum()),
                shown,
                "declared",
            )
        )
    return found


def _keeps_to_a_plan(ahead: np.ndarray) -> bool:
    days = np.round(ahead).astype(int)
    different = len(np.unique(days))
    return different <= PLANNED_DAYS or different / (days.max() - days.min() + 1) <= PLANNED_SHARE
