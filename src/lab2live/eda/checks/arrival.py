"""Whether the newest data are there: the last part of time complete, and not older than it should be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data.encoding import EPOCH, day
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import amount

# Parts of time in days: whole weeks, so that quiet weekends are in all of them.
WEEK, MONTH = 7, 28
# What is usual is measured on so many earlier parts; each of them is expected from so many before it.
USUAL, BEFORE = 16, 8
# The last part is late when it holds less than this of what was expected, and chance gives that once in 3,000 times;
# honest parts before it must not have come near.
LATE, VERY_LATE = 0.75, 0.3
SURE = 3e-4
BEYOND_HONEST = 1.3
# How much parts differ by themselves (variance of the logarithm) is taken for granted where few parts can tell.
UNKNOWN = 0.02
# The data end where in so many days less than this of the usual arrives, and hardly any of all rows lie behind.
TRICKLING, TRICKLE, FEW_BEHIND = 10, 0.15, 0.05
# Below this many rows expected nothing can be said.
FEWEST = 15
# Dates on so few different days are those of months or other fixed days: each of them is a part of time.
FIXED_DAYS = 0.2
MOST_LEVELS = 30
# A group that always had rows in these parts has none in the last; below so many expected that is chance (1e-6).
GROUP_PARTS, LOST = 7, 14.0
# Sources that all end within this time end together; one that ends this much earlier stands out.
TOGETHER, EARLIER = 35, 45


def _today() -> dt.date:
    return dt.date.today()


def late(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find a last week or month that holds far fewer rows than the ones before.

    Parameters
    ----------
    charter
        Its time column counts as declared.
    survey
        Its `date_column` is looked at, or all dates where none is declared.

    Returns
    -------
    list of Finding
        At most one per date column.
    """
    found: list[Finding | Skip] = []
    declared = {survey.source.date_column, charter.prediction.time_column} & set(survey.days)
    for column in [survey.source.date_column] if survey.source.date_column in survey.days else list(survey.days):
        assert column is not None
        one = _late(survey, column, column in declared)
        if one:
            found.append(one)
    return found


def _late(survey: Survey, column: str, declared: bool) -> Finding | None:
    days = np.floor(survey.days[column])
    days = days[np.isfinite(days)]
    if len(days) < 100:
        return None
    end = newest(days)
    for name, parts in _parts(days[days <= end], end):
        shortfall = _shortfall(parts, declared)
        if shortfall is None:
            continue
        share, expected = shortfall
        what = (
            f"The last {name} in {column} of {survey.name}, up to {day(end)}, has "
            f"{amount(round(parts[-1]), 'row')} where {expected:,.0f} were to be expected ({share:.0%}){survey.basis}."
        )
        missing = max(0, round(expected - parts[-1]))
        severity: Severity = "fail" if share < VERY_LATE else "warn"
        return finding(
            "timeliness.incomplete_period", survey.name, column, severity, share, LATE, what, missing, [day(end)]
        )
    return _group_missing(survey, column, end)


def newest(days: np.ndarray) -> float:
    """Give the newest day, without the few dates that errors or open ends put behind it."""
    ordered = np.sort(np.floor(days[np.isfinite(days)]))
    if len(ordered) < 100:
        return float(ordered[-1])
    # rows within so many days after each row; in a usual such time; and for how many rows that is the last word
    after = np.searchsorted(ordered, ordered + TRICKLING, side="right") - np.searchsorted(
        ordered, ordered, side="right"
    )
    usual = float(np.median(after[len(after) // 2 :]))
    behind = np.arange(len(ordered))[::-1]
    stopped = (after < TRICKLE * usual) & (ordered + TRICKLING <= ordered[-1]) & (behind < FEW_BEHIND * len(ordered))
    return float(ordered[np.argmax(stopped)] if usual >= FEWEST and stopped.any() else ordered[-1])


def _parts(days: np.ndarray, end: float) -> Iterator[tuple[str, np.ndarray]]:
    """Give the rows of each part of time, the last one last."""
    recent = days[days > end - 26 * MONTH]
    different, counts = np.unique(recent, return_counts=True)
    if len(different) < FIXED_DAYS * (recent.max() - recent.min() + 1):
        yield "date", counts.astype(float)
        return
    for name, length in (("week", WEEK), ("four weeks", MONTH)):
        part = ((end - days) // length).astype(int)
        number = int(part.max())  # the oldest part is not whole
        if number >= 3:
            yield name, np.bincount(part, minlength=number)[:number][::-1].astype(float)


def _shortfall(parts: np.ndarray, declared: bool) -> tuple[float, float] | None:
    """Say which share of the expected rows the last part has, and what was expected; `None` if it is complete.

    How far a part may lie below what is expected is measured on the parts before it, each expected in the same way from
    those before itself. A count then follows a negative binomial distribution: Poisson, around a mean that varies.
    """
    if len(parts) < 3:
        return None
    # A table of cases whose numbers were going down already is no event that failed to arrive.
    if not declared and np.median(parts[-4:-1]) < 0.75 * np.quantile(parts[:-1], 0.75):
        return None
    recent, few = parts[-USUAL - BEFORE - 1 :], len(parts) <= BEFORE + 4
    if few:
        expected = np.full(len(recent), recent[-5:-1].mean())
    else:
        expected = np.array([_expected(recent[place - BEFORE : place]) for place in range(BEFORE, len(recent))])
    actual = recent[-len(expected) :]
    now, last = float(expected[-1]), float(actual[-1])
    if now < FEWEST or last >= LATE * now:
        return None
    ratios = np.log((actual + 0.5) / (expected + 0.5))
    honest = ratios[:-1]
    if ratios[-1] > BEYOND_HONEST * honest.min():
        return None
    more = max(UNKNOWN if few else 0.0, float(np.mean(honest**2 - 1.25 / expected[:-1])))
    size = 1 / max(more + 1 / (4 * now), 1e-9)
    return (last / now, now) if stats.nbinom.cdf(last, size, size / (size + now)) < SURE else None


def _expected(before: np.ndarray) -> float:
    """Expect what the last parts had; less where they were falling (Theil 1950, Sen 1968) beyond chance."""
    level = float(before[-4:].mean())
    first, second = np.triu_indices(len(before), 1)
    logs = np.log(before + 0.5)
    slope = float(np.median((logs[second] - logs[first]) / (second - first)))
    # standard error of the slope of so many counts, from the variance of their logarithms
    error = (12 / (len(before) ** 3 * (level + 0.5))) ** 0.5
    return level * float(np.exp(2.5 * min(0.0, slope + error)))


def _group_missing(survey: Survey, column: str, end: float) -> Finding | None:
    """Find a group of rows, as of one region, that always was there and has none in the last week or month."""
    days = np.floor(survey.days[column])
    for other, texts in survey.texts.items():
        if not 2 <= survey.facts[other].distinct <= MOST_LEVELS:
            continue
        codes, levels = pd.factorize(texts)
        for length, name in ((WEEK, "week"), (MONTH, "four weeks")):
            with np.errstate(invalid="ignore"):
                recent = (codes >= 0) & (days <= end) & (days > end - GROUP_PARTS * length)
            part = ((end - days[recent]) // length).astype(int)
            table = np.bincount(codes[recent] * GROUP_PARTS + part, minlength=len(levels) * GROUP_PARTS)
            table = table.reshape(len(levels), GROUP_PARTS)
            last, before = table[:, 0], table[:, 1:]
            # no more than it had in its quietest part: groups have trends of their own
            expected = np.minimum(before.sum(axis=1) / max(1, before.sum()) * last.sum(), 1.5 * before.min(axis=1))
            gone = (last == 0) & (expected > LOST)
            if gone.any():
                rows = round(float(expected[gone].sum()))
                named = ", ".join(map(str, levels[gone][:3]))
                what = (
                    f"The last {name} in {column} of {survey.name}, up to {day(end)}, has no rows with {other} "
                    f"{named}, where {rows:,} were to be expected{survey.basis}."
                )
                return finding(
                    "timeliness.incomplete_period", survey.name, column, "warn", 0, LATE, what, rows, levels[gone]
                )
    return None


def stale(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find a source whose newest date is older than the charter allows, or than in the earlier extract.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Its `fresh_within_days` is held against today.

    Returns
    -------
    list of Finding or Skip
        A Skip where the charter does not say how fresh a dated source has to be, and where a stand-in is read: its
        dates say nothing about the real source.
    """
    if not survey.source.is_real:
        return [
            Skip(
                "timeliness.stale",
                survey.name,
                f"{survey.name} is a stand-in: it cannot tell how fresh the real one is.",
            )
        ]
    column = _dated(survey)
    limit = survey.source.fresh_within_days
    check, name = "timeliness.stale", survey.name
    if column is None:
        reason = "The charter says fresh_within_days, and there is no column of dates."
        return [Skip(check, name, reason)] if limit is not None else []
    end = _end(survey, column)
    found: list[Finding | Skip] = []
    if limit is None:
        if survey.source.date_column:
            found.append(Skip(check, name, f"The charter does not say how fresh {name} has to be (fresh_within_days)."))
    else:
        age = (_today() - EPOCH.date()).days - end
        if age > limit:
            what = f"The newest {column} of {name} is {day(end)}, {amount(round(age), 'day')} ago; at most {limit:g}."
            severity: Severity = "fail" if age > 3 * limit else "warn"
            return [finding(check, name, column, severity, age, limit, what, None, [day(end)], "declared")]
    before = survey.earlier
    if before is not None and column in before.days:
        then = _end(before, column)
        if end < then:
            what = f"The newest {column} of {name} is {day(end)}, and the earlier extract went up to {day(then)}."
            found.append(finding(check, name, column, "warn", then - end, 0, what, None, [day(end)], "snapshot"))
        elif end == then and survey.rows == before.rows:
            what = f"{name} ends with {day(end)} and has {amount(survey.rows, 'row')}, just like the earlier extract."
            found.append(finding(check, name, column, "info", 0, 0, what, None, [day(end)], "snapshot"))
    return found


def _dated(survey: Survey) -> str | None:
    """Name the column that says how new a source is: the declared one, or the one with the newest date until today."""
    if survey.source.date_column in survey.days:
        return survey.source.date_column
    filled = [column for column, days in survey.days.items() if np.isfinite(days).any()]
    return max(filled, key=lambda column: _end(survey, column), default=None)


def _end(survey: Survey, column: str) -> float:
    """Give the newest day until today: a date in the future is a plan or an error."""
    days = survey.days[column]
    past = days[days < (_today() - EPOCH.date()).days + 1]
    if not len(past):
        return float(np.nanmin(np.floor(days))) if np.isfinite(days).any() else -np.inf
    return newest(past)


def stale_across(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find a source of events that ends long before the other sources, or stood still while they went on.

    Parameters
    ----------
    charter
        Not needed.
    surveys
        All readable sources; those without dates and stand-ins are left out.

    Returns
    -------
    list of Finding
        One per source that stays behind.
    """
    real = [survey for survey in surveys if survey.source.is_real]
    ends = {survey.name: (survey, column, _end(survey, column)) for survey in real if (column := _dated(survey))}
    found: list[Finding | Skip] = []
    went_on = [name for name, (survey, column, end) in ends.items() if _moved(survey, column, end) is True]
    for name, (survey, column, end) in ends.items():
        others = sorted((theirs for other, (_, _, theirs) in ends.items() if other != name), reverse=True)
        span = end - float(np.nanmin(survey.days[column]))
        # a source of cases, one row each, may well be of an older time than what happened to them since
        judged = (
            bool(survey.source.date_column) or survey.facts[survey.key].distinct < 0.9 * survey.rows
            if survey.key
            else True
        )
        together = len(others) > 1 and others[0] - others[1] <= TOGETHER
        behind = others[1] - end if together else 0.0
        if judged and behind > max(EARLIER, 0.1 * span):
            what = f"{name} ends with {day(end)} ({column}), the others {amount(round(behind), 'day')} later or more."
            ends_at = [day(end)]
            found.append(
                finding("timeliness.stale", name, column, "warn", behind, EARLIER, what, None, ends_at, "second source")
            )
        elif went_on and _moved(survey, column, end) is False:
            what = f"{name} is what it was in the earlier extract, up to {day(end)}; {went_on[0]} has gone on since."
            found.append(finding("timeliness.stale", name, column, "warn", 0, 0, what, None, [day(end)], "snapshot"))
    return found


def _moved(survey: Survey, column: str, end: float) -> bool | None:
    """Say whether a source has newer rows than its earlier extract; `False` only if nothing at all has changed."""
    before = survey.earlier
    if before is None or column not in before.days:
        return None
    if end > _end(before, column) or survey.rows > before.rows:
        return True
    same = survey.rows == before.rows and survey.complete and list(survey.facts) == list(before.facts)
    return False if same and survey.sample.equals(before.sample) else None
