"""Outcomes that are not final yet (L3): the newest cases, of which too few have come true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import day
from lab2live.data.feature_types import as_days
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.reporting.formatting import agree, amount

# Above this share of young cases, what is left may be another time altogether.
FAIL = 0.20
# One window is asked about when the charter names the delay, several when it does not: then the evidence has to be
# stronger, and the fall deeper than any season's.
SURE_OF_ONE, SURE_OF_SEVERAL = 1e-5, 1e-6
FALL_OF_ONE, FALL_OF_SEVERAL = 0.65, 0.55
# Windows tried without a declared delay, as shares of the whole time.
WINDOWS = (0.02, 0.04, 0.08, 0.16)
# Fewer cases in a window say nothing.
FEWEST = 20
# Earlier windows of the same length that are compared with.
MOST_WINDOWS, FEWEST_WINDOWS = 24, 2
FEWEST_FOR_A_TREND, CLEAR_TREND = 4, 3.0
# Dates beyond this one stand for "never".
LAST_DAY = 100 * 365.25


@dataclass(frozen=True)
class Fall:
    """How much less often an outcome has come true in the newest window: seen and expected rate, or median."""

    window: float
    young: int
    seen: float
    expected: float
    what: str


def immature(charter: Charter, data: Dataset, columns: pd.DataFrame, source: str) -> list[Finding | Skip]:
    """Find the newest cases whose outcome has not had the time to happen.

    Cases younger than the declared delay, counted from the newest one, are a remark as long as outcomes happen as often
    among them as before: the extract may be older than its newest case. When they happen far less often, or suddenly do
    so in the newest cases of a project that declares no delay, the outcomes are not final.

    Returns
    -------
    list of Finding
        `value` is the share of cases too young.
    """
    prediction = charter.prediction
    name = prediction.time_column or charter.base.date_column
    if name is None or name not in columns:
        reason = "The charter names no prediction.time_column: nobody can say which cases are the newest."
        return [Skip("label.not_matured", source, reason)]
    days = as_days(columns[name])
    known = np.isfinite(days) & (days < LAST_DAY)
    if known.sum() < FEWEST:
        return [Skip("label.not_matured", source, f"{name} holds no dates that say which cases are the newest.")]
    days, outcome = days[known], data.outcome[known]
    newest, span = float(days.max()), float(days.max() - days.min())
    delay = prediction.label_delay_days
    falls: list[Fall | None] = []
    if delay:
        falls.append(_fall(data, days, outcome, delay, SURE_OF_ONE, FALL_OF_ONE))
    falls += [_fall(data, days, outcome, share * span, SURE_OF_SEVERAL, FALL_OF_SEVERAL) for share in WINDOWS]
    seen = [fall for fall in falls if fall]
    # a declared delay says which cases; else the window that lacks the most
    declared = seen[:1] if delay and falls[0] else []
    worst = max(declared or seen, key=lambda fall: fall.young**0.5 * (1 - fall.seen / fall.expected), default=None)
    if worst is not None:
        share = worst.young / len(data.outcome)
        severity: Severity = "fail" if share > FAIL else "warn"
        witness: Witness | None = "declared" if declared else None
        what = (
            f"{amount(worst.young, 'case')} ({share:.1%}) in {source} since {day(newest - worst.window)} by {name} "
            f"{agree(worst.young, 'is', 'are')} too young: {worst.what} {worst.seen:.3g}, where the time before lets "
            f"expect {worst.expected:.3g}."
        )
        return [
            finding("label.not_matured", source, prediction.target, severity, share, 0, what, worst.young, (), witness)
        ]
    young = int((days > newest - delay).sum()) if delay else 0
    if not young or delay is None:
        return []
    share = young / len(data.outcome)
    what = (
        f"{amount(young, 'case')} ({share:.1%}) in {source} {agree(young, 'is', 'are')} younger than the label delay "
        f"of {delay:g} {agree(delay, 'day', 'days')}, counted from the newest {name}, {day(newest)}. Their outcomes "
        f"look final: is the extract from later?"
    )
    return [finding("label.not_matured", source, prediction.target, "info", share, 0, what, young, (), "declared")]


def _fall(data: Dataset, days: np.ndarray, outcome: np.ndarray, window: float, sure: float, deep: float) -> Fall | None:
    """Hold the newest window against earlier ones of the same length, and against where these lead."""
    age = (days.max() - days) // window if window > 0 else np.zeros(len(days))
    young, earlier = age == 0, (age > 0) & (age <= MOST_WINDOWS)
    if young.sum() < FEWEST or not earlier.any():
        return None
    windows = [part for part in np.unique(age[earlier]) if (age == part).sum() >= FEWEST]
    if len(windows) < FEWEST_WINDOWS and earlier.sum() < 5 * FEWEST:
        return None
    if not data.classes:
        return _lower(outcome, age, young, windows or [age[earlier].min()], sure, deep, window)
    counts = np.bincount(data.outcome, minlength=len(data.classes))
    goals = [1] if data.problem == "binary" else [k for k in range(len(counts)) if k != counts.argmax()]
    for k in goals:
        happened = outcome == k
        expected = _expected(happened, age, windows, float(happened[earlier].mean()))
        times, rate = int(happened[young].sum()), float(happened[young].mean())
        if rate < deep * expected and stats.binom.cdf(times, int(young.sum()), expected) < sure / len(goals):
            return Fall(window, int(young.sum()), rate, expected, f"share of {data.classes[k]}:")
    return None


def _expected(happened: np.ndarray, age: np.ndarray, windows: list[float], mean: float) -> float:
    """Give the rate that the earlier windows lead to: their mean, or the end of their trend if they clearly fall."""
    if len(windows) < FEWEST_FOR_A_TREND or not 0 < mean < 1:
        return mean
    ages, sizes = np.array(windows), np.array([(age == part).sum() for part in windows])
    rates = np.array([happened[age == part].mean() for part in windows])
    weights = sizes / (mean * (1 - mean))
    centred = ages - np.average(ages, weights=weights)
    slope = float((weights * centred * rates).sum() / (weights * centred**2).sum())
    # the older the higher, beyond three standard errors of a straight line through shares
    if slope * np.sqrt((weights * centred**2).sum()) < CLEAR_TREND:
        return mean
    there = float(np.average(rates, weights=weights) - slope * np.average(ages, weights=weights))
    return max(min(mean, there), float(rates.min()) / 2)


def _lower(
    outcome: np.ndarray,
    age: np.ndarray,
    young: np.ndarray,
    windows: list[float],
    sure: float,
    deep: float,
    window: float,
) -> Fall | None:
    """Compare numbers, which grow until they are final: the newest with the lowest earlier window."""
    parts = [outcome[age == part] for part in windows]
    lowest = min(parts, key=lambda part: float(np.median(part)))
    expected, seen = float(np.median(lowest)), float(np.median(outcome[young]))
    everything = np.concatenate(parts)
    if expected <= 0 or seen >= deep * expected:
        return None
    p = stats.mannwhitneyu(outcome[young], everything, alternative="less").pvalue
    return Fall(window, int(young.sum()), seen, expected, "median of the outcome:") if p < sure else None
