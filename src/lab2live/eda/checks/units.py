"""Values in another unit: against an earlier extract, declared limits, the rest of the column, another source (L4d)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.pairs import Pair, pair, pairs
from lab2live.eda.checks.rescaled import FACTORS, others_of, rescaled
from lab2live.eda.checks.shifted import FEWEST, LARGE, SMALLEST_SHARE, SURE, Copy, scaled_part
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import amount

# A ratio is a factor when it is this close: values are rounded after they are converted.
CLOSE = 0.01
# Quartiles that all moved by a factor may differ from it by so much.
MOVED, QUARTILES = 0.1, [0.25, 0.5, 0.75]
FEW_SURE = 5
# Above this share of rows the column cannot be used as it is.
FAIL = 0.2
# Two columns are about the same thing when their logarithms correlate this much.
RELATED = 0.7
# So many rows tell whether they do.
FEW_ROWS = 500


def unit(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find columns of which all or some values are a factor between units away from what they should be.

    The surest witness is asked first: the earlier extract, then the declared limits, then the column by itself.

    Returns
    -------
    list of Finding
        `value` is the share of rows concerned.
    """
    found: list[Finding | Skip] = []
    others = others_of(survey)
    for name in survey.numbers:
        if name in survey.identifiers or survey.facts[name].distinct < 4:
            continue
        witness: Witness | None
        copy, than, witness = _since(survey, name), "in the earlier extract", "snapshot"
        if copy is None:
            copy, than, witness = _outside(survey, name), "the declared limits allow", "declared"
        if copy is None:
            copy, than, witness = rescaled(survey, name, others), "the others", None
        if copy is not None:
            found.append(_finding(survey, name, copy, than, witness))
    return found


def _finding(
    survey: Survey,
    name: str,
    copy: Copy,
    than: str,
    witness: Witness | None,
    frame: pd.DataFrame | None = None,
    basis: str = "",
) -> Finding:
    frame = survey.sample if frame is None else frame
    share = float(copy.rows.sum()) / max(1, int(frame[name].notna().sum()))
    times = f"{copy.factor:g} times as large as" if copy.factor > 1 else f"{1 / copy.factor:g} times smaller than"
    whole = len(frame) == survey.rows
    what = (
        f"{share:.1%} of {name} in {survey.name} ({amount(copy.rows.sum(), 'value')}) is about {times} "
        f"{than}{basis or survey.basis}."
    )
    severity: Severity = "fail" if share > FAIL else "warn"
    rows = int(copy.rows.sum()) if whole else round(share * survey.rows)
    examples = frame.loc[copy.rows, name].astype(str)
    return finding(
        "consistency.unit", survey.name, name, severity, share, SMALLEST_SHARE, what, rows, examples, witness
    )


def _since(survey: Survey, name: str) -> Copy | None:
    """Compare with the earlier extract: row by row where keys allow it, else by the quartiles."""
    earlier = survey.earlier
    if earlier is None or name not in earlier.numbers:
        return None
    if survey.key and earlier.key:
        both = pair(earlier, survey, (survey.key,))
        ours, theirs = both.partners()
        copy = _constant_ratio(both.second.numbers(name)[theirs], both.first.numbers(name)[ours])
        if copy is not None and both.second.frame is survey.sample:
            rows = np.zeros(len(survey.sample), dtype=bool)
            rows[theirs[copy.rows]] = True
            # rows that are new since then are told by those that are not
            return Copy(copy.factor, rows)
    return _moved(survey.numbers[name], earlier.numbers[name])


def _constant_ratio(now: np.ndarray, then: np.ndarray) -> Copy | None:
    """Find a factor that far more rows changed by than by something near it."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.log(now / then)
    known = np.isfinite(ratio)
    if not known.any():
        return None
    best: Copy | None = None
    for factor in (*FACTORS, *(1 / one for one in FACTORS)):
        away = np.abs(ratio - np.log(factor))
        hits = known & (away < CLOSE)
        near = int((known & (away < 10 * CLOSE)).sum() - hits.sum()) / 9
        number = int(hits.sum())
        if number < max(FEW_SURE, SMALLEST_SHARE * known.sum()) or len(np.unique(then[hits])) < 4:
            continue
        if stats.poisson.sf(number - 1, near + 0.01) < SURE and (best is None or number > best.rows.sum()):
            best = Copy(factor, hits)
    return best


def _moved(now: np.ndarray, then: np.ndarray) -> Copy | None:
    """Say whether the whole column moved by a large factor."""
    now_known, then_known = (np.abs(side[np.isfinite(side) & (side != 0)]) for side in (now, then))
    if min(len(now_known), len(then_known)) < FEWEST:
        return None
    moved = np.log(np.quantile(now_known, QUARTILES)) - np.log(np.quantile(then_known, QUARTILES))
    for factor in (*LARGE, *(1 / one for one in LARGE)):
        if (np.abs(moved - np.log(factor)) < MOVED).all():
            return Copy(factor, np.isfinite(now) & (now != 0))
    return None


def _outside(survey: Survey, name: str) -> Copy | None:
    """Find values outside the declared limits that a factor brings back among the others."""
    declared = survey.source.columns.get(name)
    if declared is None or (declared.min is None and declared.max is None):
        return None
    values = survey.numbers[name]
    low = -np.inf if declared.min is None else declared.min
    high = np.inf if declared.max is None else declared.max
    known = np.isfinite(values)
    inside = values[known & (values >= low) & (values <= high)]
    for rows, sign in ((known & (values > high), 1), (known & (values < low) & (values > 0), -1)):
        if rows.sum() < max(FEW_SURE, SMALLEST_SHARE * known.sum()) or len(np.unique(values[rows])) < 3:
            continue
        for factor in LARGE:
            back = values[rows] / factor**sign
            if ((back >= low) & (back <= high)).mean() < 0.8:
                continue
            if len(inside) >= 10 * FEWEST:
                middle = np.quantile(inside, [0.25, 0.75])
                if not middle[0] <= np.median(back) <= middle[1]:
                    continue
            elif rows.sum() < 0.9 * known.sum():
                continue
            return Copy(factor**sign, rows)
    return None


def unit_across(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find numbers about the same thing in two sources that differ by a factor, in all or in some rows."""
    found: dict[tuple[str, str], Finding | Skip] = {}
    for both in pairs(charter, surveys):
        ours, theirs = both.partners()
        if len(theirs) < 10 * FEWEST:
            continue
        shared = set(both.shared())
        first = {name: both.first.numbers(name)[ours] for name in _measures(both.first.survey)}
        second = {name: both.second.numbers(name)[theirs] for name in _measures(both.second.survey)}
        for name, now in second.items():
            for other, then in first.items():
                if other == name and name in shared:
                    copy = _constant_ratio(now, then)
                elif both.first.survey.name == charter.base.name:
                    copy = _related(now, then)
                else:
                    continue
                if copy is None:
                    continue
                one = _blame(both, (other, name), (then, now), (ours, theirs), copy)
                found.setdefault((one.source, one.column or ""), one)
    return list(found.values())


def _measures(survey: Survey) -> list[str]:
    return [name for name in survey.numbers if name not in survey.identifiers and survey.facts[name].distinct > 10]


def _related(now: np.ndarray, then: np.ndarray) -> Copy | None:
    """Look for a scaled part in the ratio of two columns that rise together."""
    usable = np.isfinite(now) & np.isfinite(then) & (now > 0) & (then > 0)
    if usable.sum() < 10 * FEWEST:
        return None
    some = np.flatnonzero(usable)[:: max(1, int(usable.sum()) // FEW_ROWS)]
    ranks = [stats.rankdata(side[some]) for side in (now, then)]
    if np.ptp(ranks[0]) == 0 or np.ptp(ranks[1]) == 0 or np.corrcoef(*ranks)[0, 1] < RELATED:
        return None
    expected = np.log(np.where(usable, then, 1.0))
    return scaled_part(np.where(usable, now, np.nan), expected)


def _blame(
    both: Pair,
    names: tuple[str, str],
    values: tuple[np.ndarray, np.ndarray],
    places: tuple[np.ndarray, np.ndarray],
    copy: Copy,
) -> Finding:
    """Name the source whose values stand apart from its own others; the second one if that does not tell."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(np.abs(side)) for side in values]
    apart = []
    for side in logs:
        inside, outside = side[copy.rows & np.isfinite(side)], side[~copy.rows & np.isfinite(side)]
        apart.append(abs(np.median(inside) - np.median(outside)) if len(inside) and len(outside) else 0.0)
    wrong = 0 if apart[0] > apart[1] else 1
    side, other = (both.first, both.second) if wrong == 0 else (both.second, both.first)
    rows = np.zeros(len(side.frame), dtype=bool)
    rows[places[wrong][copy.rows]] = True
    factor = copy.factor if wrong else 1 / copy.factor
    than = f"{names[1 - wrong]} in {other.survey.name} lets expect"
    return _finding(side.survey, names[wrong], Copy(factor, rows), than, "second source", side.frame, both.basis)
