"""Outliers of one column (L4b): far from the others, always the same, or impossible."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.encoding import EPOCH, day, label
from lab2live.data.feature_types import as_numbers
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.encoding import repair
from lab2live.eda.checks.expected import declared, word
from lab2live.eda.checks.facts import counts
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.spelling import resembled
from lab2live.eda.checks.spikes import DAYS, sentinels_of_days, sentinels_of_numbers
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.tails import beyond, beyond_gap, explained, spread
from lab2live.eda.checks.written import meaningful
from lab2live.reporting.formatting import agree, amount

# Fewer values have no distribution, and fewer different ones are levels.
FEWEST_VALUES = 100
FEW_LEVELS = 30
# A value this frequent (a zero, mostly) is left out before the others are judged.
DOMINATING = 0.1
# A column of fewer rows is the same everywhere by chance.
FEWEST_ROWS = 20
# Flags of half a percent are normal; the limit leaves them room for chance.
NEARLY_ALWAYS = 0.9975
# Values beyond the charter's limits: a few are errors, more are a broken column.
MANY = 0.01
# So many undeclared values are no spellings of the declared ones.
MOST_SPELLINGS = 1000
# Contracts end in the future, events do not: a column of which more than this lies there holds ends.
FUTURE = 0.2
NEAR_FUTURE = 0.005
A_YEAR = 366.0
OLDEST = 130.0
FEW_WRONG_AGES = 0.2
AGES = frozenset({"age", "alter", "years", "ageyears", "customerage", "ageinyears", "alterjahre", "kundenalter"})
LARGEST = float(np.finfo(np.float64).max)


def univariate(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find numbers far from all others, whatever shape their distribution has.

    Each side of the median is held against the tail that its own quantiles promise (`tails.beyond`). Identifiers,
    sentinels and a dominating value are left out; so are outliers that are one kind of case.
    """
    found: list[Finding | Skip] = []
    for column, numbers in survey.numbers.items():
        if column in survey.identifiers:
            continue
        values = np.sort(numbers[np.isfinite(numbers)])
        different, times = np.unique(values, return_counts=True)
        skipped = [*sentinels_of_numbers(values)]
        counted = ~np.isin(different, skipped)
        if len(different) and times.max() > DOMINATING * len(values):
            skipped.append(float(different[times.argmax()]))
        kept = np.isfinite(numbers) & ~np.isin(numbers, skipped)
        values = values[~np.isin(values, skipped)]
        if len(values) < FEWEST_VALUES:
            continue
        centre = float(np.median(values))
        if len(different) > FEW_LEVELS:
            above, below = _limits(values, centre)
        else:
            above, below = beyond_gap(different[counted], times[counted]), -np.inf
        # what is left out is no outlier, and equal values have been spread over half a step to both sides
        for where, side in ((numbers >= above, "above"), (numbers <= below, "below")):
            if (kept & where).any():
                found.append(_far(survey, column, kept & where, centre, side))
    return found


def _limits(values: np.ndarray, centre: float) -> tuple[float, float]:
    """Give the values from which on a column's own tails are left, above and below."""
    spaced = spread(values)
    if float(np.quantile(values, 0.02)) > 0:
        above, below = beyond(spaced, ratios=True)[0], beyond(centre - spaced)[0]
    else:
        above = below = beyond(np.abs(spaced - centre))[0]
        above += centre
    # the value at the border is one of them, however it is rounded
    return above * (1 - 1e-9 * np.sign(above)), centre - below * (1 - 1e-9)


def _far(survey: Survey, column: str, where: np.ndarray, centre: float, side: str) -> Finding:
    numbers = survey.numbers[column]
    reason = explained(survey, where, column)
    extremes = np.sort(numbers[where])[:: -1 if side == "above" else 1]
    rows = int(where.sum())
    what = (
        f"{amount(rows, 'value')} of {column} in {survey.name} ({rows / len(numbers):.2%}) "
        f"{agree(rows, 'lies', 'lie')} far {side} all others: from {extremes[-1]:,.6g} on, half are around "
        f"{centre:,.6g}{survey.basis}"
    )
    what += f"; {reason} tells them apart." if reason else "."
    severity: Severity = "info" if reason else "warn"
    examples = [f"{value:.15g}" for value in extremes[:3]]
    return finding("outlier.univariate", survey.name, column, severity, rows / len(numbers), 0, what, rows, examples)


def constant(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find columns that are empty, always the same, or nearly so.

    Rare flags are normal; a column in which everything else is rarer still is likely a broken export.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items() if survey.rows >= FEWEST_ROWS else ():
        filled = survey.rows - known.nulls - known.blanks
        if not filled:
            what = f"{column} in {survey.name} is empty in all {amount(survey.rows, 'row')}."
            found.append(finding("validity.constant", survey.name, column, "warn", 1, NEARLY_ALWAYS, what, survey.rows))
            continue
        top, share, others = _most_frequent(survey, column)
        if not others:
            severity: Severity = "warn" if filled == survey.rows else "info"
            said = "in all" if filled == survey.rows else f"wherever it is filled in, {filled:,} of"
            what = f"{column} in {survey.name} is {top} {said} {amount(survey.rows, 'row')}."
        elif share > NEARLY_ALWAYS and column != charter.prediction.target:
            severity = "warn"
            what = f"{column} in {survey.name} is {top} in {share:.2%} of the rows{survey.basis}."
        else:
            continue
        found.append(
            finding("validity.constant", survey.name, column, severity, share, NEARLY_ALWAYS, what, filled, [top])
        )
    return found


def _most_frequent(survey: Survey, column: str) -> tuple[str, float, int]:
    """Give the most frequent value, its share of the filled ones, and how many others there are."""
    known = survey.facts[column]
    if known.kind == "other" or (known.distinct > 5 and known.distinct > (1 - NEARLY_ALWAYS) * survey.rows + 1):
        return "", 0.0, known.distinct
    if not survey.complete and known.distinct <= 2:  # the engine's number of different values is approximate
        times = counts(survey.table, column, 3)
    else:
        times = survey.sample[column].value_counts()
    value = times.index[0]
    shown = f"{value:.15g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return shown, float(times.iloc[0] / times.sum()), len(times) - 1


def impossible(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find values outside the charter's limits, and such as cannot be anywhere: infinite, negative ages, far future."""
    found: list[Finding | Skip] = []
    for column in [*survey.numbers]:
        described = survey.source.columns.get(column)
        low, high = (described.min, described.max) if described else (None, None)
        by_charter = low is not None or high is not None
        if not by_charter and _is_age(survey, column):
            low, high = 0.0, OLDEST
        found += _outside(survey, column, low, high, by_charter)
        found += _infinite(survey, column)
    for column in survey.days:
        found += _far_future(survey, column)
    for column in survey.source.columns:
        found += _undeclared(charter, survey, column)
    return found


def _undeclared(charter: Charter, survey: Survey, column: str) -> list[Finding | Skip]:
    """Find values beside those that the charter says occur; other spellings of these are another check's question."""
    if not survey.source.columns[column].values or survey.facts.get(column) is None or column in survey.days:
        return []
    wanted = declared(charter, survey.source, column)
    if column in survey.numbers:
        numbers = survey.numbers[column]
        values, known = numbers[np.isfinite(numbers)], as_numbers(pd.Series(wanted, dtype=object))
        wrong = pd.Series(values[~np.isin(values, known)]).value_counts()
        filled = len(values)
    else:
        texts = meaningful(survey, column)  # no truth values: YAML and databases name them in too many ways
        filled = int(texts.sum())
        wrong = texts[[text.strip() != "" and repair(text) == text for text in texts.index]]
        names = {word(value) for value in wanted}
        wrong = wrong[[word(text) not in names for text in wrong.index]]
        if len(wrong) < MOST_SPELLINGS:
            wrong = wrong[[not resembled(text, wanted) for text in wrong.index]]
    if not len(wrong):
        return []
    rows = int(wrong.sum())
    share = rows / filled
    what = (
        f"{amount(rows, 'value')} of {column} in {survey.name} ({share:.2%}) {agree(rows, 'is', 'are')} not among "
        f"those that the charter declares{survey.basis}."
    )
    severity: Severity = "fail" if share > MANY else "warn"
    shown = map(label, wrong.index)
    return [finding("validity.range", survey.name, column, severity, share, 0, what, rows, shown, "declared")]


def _is_age(survey: Survey, column: str) -> bool:
    if re.sub(r"[^a-z]", "", column.lower()) not in AGES:
        return False
    numbers = survey.numbers[column][np.isfinite(survey.numbers[column])]
    # of an account or a machine, an age may be counted in days; and some are standardised
    return bool(len(numbers)) and float(((numbers < 0) | (numbers > OLDEST)).mean()) < FEW_WRONG_AGES


def _outside(
    survey: Survey, column: str, low: float | None, high: float | None, by_charter: bool
) -> list[Finding | Skip]:
    floor, ceiling = -np.inf if low is None else low, np.inf if high is None else high
    numbers, known = survey.numbers[column], survey.facts[column]
    if known.kind == "number" and known.low is not None and known.low >= floor and known.high <= ceiling:
        return []
    outside = (numbers < floor) | (numbers > ceiling)
    rows, basis = int(outside.sum()), survey.basis
    examples = [f"{value:.15g}" for value in numbers[outside][:3]]
    if not survey.complete and known.kind == "number":
        cell = survey.table[column]
        found = [cell < floor] * (low is not None) + [cell > ceiling] * (high is not None)
        if not found:
            return []
        wrong = found[0] | found[-1]
        rows, basis = int(survey.table.filter(wrong).count().to_pyarrow().as_py()), ""
        if not examples and rows:
            examples = [f"{float(value):.15g}" for value in survey.table.filter(wrong).limit(3).to_pandas()[column]]
    if not rows:
        return []
    share = rows / (survey.rows if not basis else len(numbers))
    limits = " to ".join("…" if limit is None else f"{limit:,.6g}" for limit in (low, high))
    lie = agree(rows, "lies", "lie")
    by = "the charter's limits" if by_charter else "what an age can be"
    what = f"{amount(rows, 'value')} of {column} in {survey.name} ({share:.2%}) {lie} outside {by}, {limits}{basis}."
    severity: Severity = "fail" if share > MANY else "warn"
    witness: Witness | None = "declared" if by_charter else None
    return [finding("validity.range", survey.name, column, severity, share, 0, what, rows, examples, witness)]


def _infinite(survey: Survey, column: str) -> list[Finding | Skip]:
    numbers, known = survey.numbers[column], survey.facts[column]
    rows, basis = int(np.isinf(numbers).sum()), survey.basis
    infinite = known.kind == "number" and known.low is not None and (np.isinf(known.low) or np.isinf(known.high))
    if not rows and not infinite:
        return []
    if infinite and not survey.complete:
        cell = survey.table[column]
        rows, basis = int(survey.table.filter((cell > LARGEST) | (cell < -LARGEST)).count().to_pyarrow().as_py()), ""
    share = rows / (survey.rows if not basis else len(numbers))
    are = agree(rows, "is", "are")
    what = f"{amount(rows, 'value')} of {column} in {survey.name} ({share:.2%}) {are} infinite{basis}."
    return [finding("validity.range", survey.name, column, "warn", share, 0, what, rows, ["inf"], "form")]


def _far_future(survey: Survey, column: str) -> list[Finding | Skip]:
    """Find dates more than a year from now in a column of events: one in which next to nothing is due soon."""
    days = survey.days[column]
    today = float((dt.datetime.now(dt.UTC) - EPOCH).days)
    far = days > today + A_YEAR
    if not far.any():
        return []
    far &= ~np.isin(np.floor(days), list(DAYS)) & ~np.isin(days, [*sentinels_of_days(days)])
    near = (days > today) & (days <= today + A_YEAR)
    rows, filled = int(far.sum()), int(np.isfinite(days).sum())
    if not rows or rows > FUTURE * filled or near.sum() > NEAR_FUTURE * filled:
        return []
    what = (
        f"{amount(rows, 'date')} of {column} in {survey.name} ({rows / len(days):.2%}) {agree(rows, 'lies', 'lie')} "
        f"more than a year in the future, nearly all others in the past{survey.basis}."
    )
    examples = [day(value) for value in np.sort(days[far])[::-1][:3]]
    return [finding("validity.range", survey.name, column, "warn", rows / len(days), 0, what, rows, examples)]
