"""What is missing altogether: values and bands, combinations, stretches of time (L4c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from lab2live.charter.schema import Charter
from lab2live.data.encoding import label
from lab2live.eda.checks.expected import band, is_range, values_of, word
from lab2live.eda.checks.facts import counts
from lab2live.eda.checks.findings import EXAMPLES, Finding, Severity, Skip, finding
from lab2live.eda.checks.holes import FEWEST_VALUES, hole
from lab2live.eda.checks.levels import levels_of
from lab2live.eda.checks.survey import Survey
from lab2live.errors import UserError
from lab2live.reporting.formatting import agree, amount

# Values that made up this share of the rows cannot be missing by chance or for a good reason that nobody mentions.
LARGE = 0.05
# A value counts as lost if less than this share of the rows it should have is there, and chance does not explain it.
LEFT = 0.1
SURE = 1e-6
# More values than these are names, and come and go.
MOST_VALUES = 1000
# Bands of equal frequency in the earlier extract that numbers are compared in.
BANDS = 20
# If more than this is gone, the column has moved altogether, and no band is missing.
MOVED = 0.5


def entity(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find values and bands of values that should be there, and are not.

    Compared with what the charter expects, with the earlier extract, and, for numbers, with the rest of the column.

    Returns
    -------
    list of Finding or Skip
        `value` is the share of what is expected that is missing.
    """
    found: list[Finding | Skip] = []
    for column, declared in survey.source.expected.items():
        found += _against_charter(charter, survey, column, declared)
    named = {one.column for one in found if isinstance(one, Finding) and one.severity != "info"}
    if survey.earlier is not None:
        found += [one for one in _against_earlier(survey, survey.earlier) if one.column not in named]
    elif not survey.source.expected:
        reason = f"The charter names neither expected values of {survey.name} nor a snapshot to compare with."
        found.append(Skip("completeness.category", survey.name, reason))
    named |= {one.column for one in found if isinstance(one, Finding) and one.severity != "info"}
    return found + [one for one in _holes(survey) if one.column not in named]


def _against_charter(charter: Charter, survey: Survey, column: str, declared: list[Any] | str) -> list[Finding | Skip]:
    if column not in survey.facts:
        return [
            Skip("completeness.category", survey.name, f"Values of {column} are expected, but there is no such column.")
        ]
    try:
        wanted = values_of(charter, column, declared)
    except UserError as error:
        return [Skip("completeness.category", survey.name, " ".join(str(error).split()))]
    there = counts(survey.table, column, 100_000) if not survey.complete else survey.sample[column].value_counts()
    if column in survey.numbers and any(is_range(value) for value in wanted):
        gone, extra = _bands(wanted, there)
    else:
        known = {word(value): value for value in there.index}
        expected = {word(value) for value in wanted}
        gone = [label(value) for value in dict.fromkeys(wanted) if word(value) not in known]
        extra = [label(value) for text, value in known.items() if text and text not in expected]
    found: list[Finding | Skip] = []
    if gone:
        share = len(gone) / len(wanted)
        shares = _earlier_shares(survey, column)
        severity: Severity = "fail" if any(shares.get(value.casefold(), 0.0) >= LARGE for value in gone) else "warn"
        what = (
            f"{len(gone):,} of {amount(len(wanted), 'expected value')} of {column} {agree(len(gone), 'is', 'are')} not "
            f"in {survey.name} at all: "
            f"{', '.join(gone[:EXAMPLES])}{' and others' if len(gone) > EXAMPLES else ''}."
        )
        found.append(
            finding("completeness.category", survey.name, column, severity, share, 0, what, None, gone, "declared")
        )
    if extra:
        what = (
            f"{amount(len(extra), 'value')} of {column} in {survey.name} {agree(len(extra), 'is', 'are')} not among "
            f"those expected: "
            f"{', '.join(extra[:EXAMPLES])}{' and others' if len(extra) > EXAMPLES else ''}."
        )
        found.append(
            finding("completeness.category", survey.name, column, "info", len(extra), 0, what, None, extra, "declared")
        )
    return found


def _bands(wanted: list[Any], there: pd.Series) -> tuple[list[str], list[str]]:
    """Say which bands hold no value, and which values are in no band."""
    numbers = pd.to_numeric(pd.Series(there.index), errors="coerce").to_numpy(dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    inside = np.zeros(len(numbers), dtype=bool)
    gone = []
    for value in wanted:
        limits = band(value)
        if limits is None:
            continue
        # 18-29 and 30-49 leave no room for 29.5 elsewhere
        upper = limits[1] + 1 if limits[1].is_integer() and limits[0] < limits[1] else np.nextafter(limits[1], np.inf)
        within = (numbers >= limits[0]) & (numbers < upper)
        inside |= within
        if not within.any():
            gone.append(label(value))
    return gone, [label(value) for value in numbers[~inside]]


def _earlier_shares(survey: Survey, column: str) -> Mapping[str, float]:
    if survey.earlier is None or column not in survey.earlier.facts:
        return {}
    return {word(value): share for value, share in survey.earlier.sample[column].value_counts(normalize=True).items()}


def _against_earlier(survey: Survey, earlier: Survey) -> list[Finding]:
    found = []
    for name in survey.facts:
        if name not in earlier.facts or name in survey.identifiers or name in survey.days:
            continue
        known = earlier.facts[name]
        if known.kind in ("text", "boolean") or known.distinct <= FEWEST_VALUES:
            lost = _lost_values(survey, earlier, name) if known.distinct <= MOST_VALUES else []
        elif name in survey.numbers and name in earlier.numbers:
            lost = _lost_bands(survey.numbers[name], earlier.numbers[name])
        else:
            continue
        if not lost:
            continue
        share = sum(one for _, one in lost)
        severity: Severity = "fail" if max(one for _, one in lost) >= LARGE else "warn"
        what = (
            f"{amount(len(lost), 'value')} of {name} that made up {share:.1%} of "
            f"{survey.name} in the earlier extract {agree(len(lost), 'is', 'are')} gone or nearly so: "
            f"{', '.join(value for value, _ in lost[:EXAMPLES])}{survey.basis}."
        )
        examples = [value for value, _ in lost]
        found.append(
            finding("completeness.category", survey.name, name, severity, share, 0, what, None, examples, "snapshot")
        )
    return found


def _lost_values(survey: Survey, earlier: Survey, name: str) -> list[tuple[str, float]]:
    """Give the values that are gone, with the share of rows they had."""
    then, now = (_word_counts(one, name) for one in (earlier, survey))
    shares = then / max(1, then.sum())
    expected = shares * now.sum()
    seen = now.reindex(then.index, fill_value=0).to_numpy()
    gone = (seen <= LEFT * expected) & (special.pdtr(seen, expected) < SURE / max(1, len(then)))
    if survey.facts[name].kind == "number" and gone.any():
        # years and numbers of batches move on: what is lost at the ends is no gap
        values = pd.to_numeric(pd.Series(then.index), errors="coerce").to_numpy(dtype=float)
        left = values[~gone.to_numpy()]
        gone &= len(left) > 0 and (values > left.min()) & (values < left.max())
    if shares[gone].sum() > MOVED:
        return []
    return [(str(value), float(share)) for value, share in shares[gone].sort_values(ascending=False).items()]


def _word_counts(survey: Survey, name: str) -> pd.Series:
    found = survey.sample[name].value_counts()
    return found.groupby([word(value) for value in found.index]).sum()


def _lost_bands(now: np.ndarray, then: np.ndarray) -> list[tuple[str, float]]:
    """Give the bands of numbers that are empty now, neighbours put together."""
    now, then = now[np.isfinite(now)], then[np.isfinite(then)]
    if min(len(now), len(then)) < BANDS * 10:
        return []
    edges = np.unique(np.quantile(then, np.linspace(0, 1, BANDS + 1)))
    if len(edges) < 4:
        return []
    before, after = (np.histogram(side, edges)[0] for side in (then, now))
    expected = before / len(then) * len(now)
    gone = (after <= LEFT * expected) & (special.pdtr(after, expected) < SURE / BANDS)
    # at the ends distributions move; inside, they have no holes
    gone[[0, -1]] = False
    if not gone.any() or before[gone].sum() > MOVED * len(then):
        return []
    starts = np.flatnonzero(gone & ~np.r_[False, gone[:-1]])
    stops = np.flatnonzero(gone & ~np.r_[gone[1:], False])
    return [
        (f"{edges[start]:g} to {edges[stop + 1]:g}", float(before[start : stop + 1].sum() / len(then)))
        for start, stop in zip(starts, stops, strict=True)
    ]


def _holes(survey: Survey) -> list[Finding]:
    found = []
    categories = None
    for name, values in survey.numbers.items():
        known = survey.facts[name]
        if name in survey.identifiers or known.distinct < FEWEST_VALUES:
            continue
        if known.distinct > 0.95 * survey.rows and _whole(values):
            continue  # it numbers the rows
        categories = levels_of(survey) if categories is None else categories
        one = hole(values, categories)
        if one is None:
            continue
        share = one.expected / (one.expected + int(np.isfinite(values).sum()))
        what = (
            f"No value of {name} in {survey.name} lies between {one.low:g} and {one.high:g}, where about "
            f"{amount(round(one.expected), 'row')} ({share:.1%}) {agree(round(one.expected), 'is', 'are')} to be "
            f"expected from those beside{survey.basis}."
        )
        examples = [f"{one.low:g} to {one.high:g}"]
        found.append(finding("completeness.category", survey.name, name, "warn", share, 0, what, None, examples))
    return found


def _whole(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return bool((known == np.round(known)).all())
