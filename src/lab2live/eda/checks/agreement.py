"""Do the silos say the same about the same thing? Attributes, units, rows and clocks (L4d)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from lab2live.charter.schema import Charter
from lab2live.eda.checks.findings import Finding, Limits, Severity, Skip, finding
from lab2live.eda.checks.levels import factorized
from lab2live.eda.checks.misaligned import coded, slip_of
from lab2live.eda.checks.pairs import SAMPLED_KEYS, Pair, Rows, pairs, rows_of
from lab2live.eda.checks.rescaled import FACTORS
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.units import CLOSE
from lab2live.reporting.formatting import agree, amount

# A few differences are normal: somebody moved, and one system knows it already.
LIMITS = Limits(0.005, 0.05)
FEWEST = 3
# Beyond this share two columns share a name, not a meaning. The same if they agree hardly more than by chance
# (Cohen's kappa).
ANOTHER_THING = 0.5
KAPPA = 0.3
# An attribute of the key changes between two of its rows in fewer cases than this, and is not the same for nearly all.
STEADY, VARIED = 0.1, 0.8
# Between two sources this share of rows has to say what the first row of the key says.
MOSTLY_STEADY, FEW_ROWS = 0.75, 20
SURE = 1e-6
MANY = 100
# Two moments are the same to the minute. Zones are at most so many hours apart.
MINUTE = 1.5 / 1440
HOURS = 14
TIMES_FAIL = 0.2


def conflict(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find attributes that two sources, or two rows of one source, tell differently about the same key.

    Returns
    -------
    list of Finding
        `value` is the share of the common keys that differ. Columns that hardly ever agree share a name only, which is
        a remark.
    """
    found: list[Finding | Skip] = []
    for both in pairs(charter, surveys):
        with_base = both.first.survey.name == charter.base.name
        for name in both.shared():
            # what the base says as well is compared with the base
            if with_base or not any(name in one.facts for one in surveys if one.name == charter.base.name):
                found += _between(both, name)
    for survey in surveys:
        found += _inside(survey)
    return found


def _between(both: Pair, name: str) -> list[Finding]:
    first, second = both.first.survey, both.second.survey
    if any(name in one.days for one in (first, second)) and not (both.first.unique and both.second.unique):
        return []  # dates of events differ from row to row
    if "other" in (first.facts[name].kind, second.facts[name].kind):
        return []
    # of a first source with several rows a key, the first one of each speaks
    lookup = both.first.first()
    places = np.where(both.second.codes >= 0, lookup[both.second.codes], -1)
    theirs = np.flatnonzero(places >= 0)
    ours = places[theirs]
    then, now = coded(both, name, ours, theirs)
    if not (_steady(both.first, name) and _steady(both.second, name)):
        return []
    known = (then >= 0) & (now >= 0)
    if not known.any():
        return []
    differ = known & (then != now) & ~_close(both, name, ours, theirs)
    keys = both.second.codes[theirs]
    common, unlike = len(np.unique(keys[known])), len(np.unique(keys[differ]))
    share = unlike / common
    if unlike < FEWEST:
        return []
    size = int(max(then.max(), now.max())) + 1
    shares = [np.bincount(side[known], minlength=size) / known.sum() for side in (then, now)]
    chance, agree = float(shares[0] @ shares[1]), 1 - differ.sum() / known.sum()
    if share > ANOTHER_THING or agree - chance < KAPPA * (1 - chance):
        return [_remark(both, name, share, unlike)] if both.first.unique and both.second.unique else []
    if (slip_of(now, then, differ) is not None and both.whole) or _in_another_unit(both, name, ours, theirs, differ):
        return []
    what = (
        f"{name} differs between {second.name} and {first.name} for {unlike:,} of {amount(common, 'common key')} "
        f"({share:.1%}){both.basis}."
    )
    examples = [
        f"{both.keys[keys[place]]}: {both.second.frame[name].iloc[theirs[place]]} / "
        f"{both.first.frame[name].iloc[ours[place]]}"
        for place in np.flatnonzero(differ)[np.sort(np.unique(keys[differ], return_index=True)[1])][:FEWEST]
    ]
    severity = LIMITS.severity(share)
    check, limit = "consistency.conflict", LIMITS.warn
    return [finding(check, second.name, name, severity, share, limit, what, unlike, examples, "second source")]


def _steady(side: Rows, name: str) -> bool:
    """Say whether a column is an attribute of the key: the same in nearly all rows of a key."""
    if side.unique:
        return True
    codes = factorized(side.frame[name])[0]
    several = (side.codes >= 0) & (side.times[side.codes] > 1) & (codes >= 0)
    first = side.first()[side.codes]
    return int(several.sum()) < FEW_ROWS or float((codes == codes[first])[several].mean()) > MOSTLY_STEADY


def _remark(both: Pair, name: str, share: float, unlike: int) -> Finding:
    first, second = both.first.survey, both.second.survey
    what = (
        f"{name} of {second.name} and {first.name} share a name only: they differ for {share:.0%} of the common "
        f"keys{both.basis}."
    )
    return finding(
        "consistency.conflict", second.name, name, "info", share, LIMITS.warn, what, unlike, (), "second source"
    )


def _numbers(both: Pair, name: str, ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if name in both.first.survey.numbers and name in both.second.survey.numbers:
        return both.first.numbers(name)[ours], both.second.numbers(name)[theirs]
    return None


def _close(both: Pair, name: str, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Say which numbers are equal when they are rounded as the coarser of the two sides is."""
    values = _numbers(both, name, ours, theirs)
    if values is None:
        return np.zeros(len(ours), dtype=bool)
    steps = [_step(side) for side in values]
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(values[0] - values[1])
        return np.asarray(apart <= np.maximum(max(steps) / 2, 1e-6 * np.abs(values[0])) * (1 + 1e-9))


def _step(values: np.ndarray) -> float:
    """Give the last decimal that values are rounded to; 0 for whole numbers, which may be codes, and for none."""
    known = values[np.isfinite(values)][:1000]
    for decimals in (0, 1, 2, 3, 4):
        if len(known) and (np.abs(known - np.round(known, decimals)) < 1e-9 * np.maximum(1, np.abs(known))).all():
            return float(10.0**-decimals) if decimals else 0.0
    return 0.0


def _in_another_unit(both: Pair, name: str, ours: np.ndarray, theirs: np.ndarray, differ: np.ndarray) -> bool:
    """Say whether most differences are one factor between units: then that is the finding."""
    values = _numbers(both, name, ours, theirs)
    if values is None:
        return False
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.abs(np.log(np.abs(values[1][differ] / values[0][differ])))
    return any(float((np.abs(ratio - np.log(factor)) < CLOSE).mean()) > 0.5 for factor in FACTORS)


def _inside(survey: Survey) -> list[Finding]:
    """Find attributes that are the same in all rows of a key but for single rows between them.

    A value that changes once and stays changed is life; one that changes and is back in the next row is an error.
    """
    if survey.key is None or survey.facts[survey.key].distinct > 0.6 * survey.rows:
        return []
    frame, basis = survey.sample, ""
    if not survey.complete:
        wanted = frame[survey.key].dropna().drop_duplicates()
        wanted = wanted.sample(min(SAMPLED_KEYS, len(wanted)), random_state=0)
        frame, basis = rows_of(survey, survey.key, wanted), f" (among the rows of {amount(len(wanted), 'key')})"
    keys = factorized(frame[survey.key])[0]
    order = _in_time(survey, frame, keys)
    keys = keys[order]
    beside = (keys[1:] == keys[:-1]) & (keys[1:] >= 0)
    between = beside[1:] & beside[:-1]
    if between.sum() < MANY:
        return []
    found = []
    for name in survey.facts:
        if name in survey.identifiers or not _attribute(survey, name):
            continue
        codes = factorized(frame[name])[0][order]
        shares = np.bincount(codes[codes >= 0]) / max(1, (codes >= 0).sum())
        known = beside & (codes[1:] >= 0) & (codes[:-1] >= 0)
        changes = float((codes[1:] != codes[:-1])[known].mean()) if known.any() else 1.0
        if changes > STEADY or float((shares**2).sum()) > VARIED:
            continue
        around = between & (codes[2:] == codes[:-2]) & (codes[2:] >= 0) & (codes[1:-1] >= 0)
        odd = around & (codes[1:-1] != codes[2:])
        number, share = int(odd.sum()), float(odd.sum() / max(1, around.sum()))
        usual = 2 * changes**2 * around.sum() * STEADY
        if number < 5 or share <= LIMITS.warn or special.pdtrc(number - 1, usual + 1) > SURE:
            continue
        rows = order[np.flatnonzero(odd) + 1]
        what = (
            f"{name} in {survey.name} is one thing for a key and another in single rows between: "
            f"{amount(number, 'row')}, {share:.1%} of those that can be compared{basis}."
        )
        examples = frame[survey.key].iloc[rows[:3]].astype(str)
        severity = LIMITS.severity(share)
        found.append(
            finding("consistency.conflict", survey.name, name, severity, share, LIMITS.warn, what, number, examples)
        )
    return found


def _attribute(survey: Survey, name: str) -> bool:
    known = survey.facts[name]
    return known.kind in ("text", "boolean") and 2 <= known.distinct <= 1000 and name not in survey.days


def _in_time(survey: Survey, frame: pd.DataFrame, keys: np.ndarray) -> np.ndarray:
    """Sort rows by key and, within it, by time where there is one."""
    when = survey.source.date_column if survey.source.date_column in survey.days else next(iter(survey.days), None)
    if when is None:
        return np.argsort(keys, kind="stable")
    return np.lexsort((Rows(survey, frame, keys, keys).days(when), keys))


def timezone_across(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find times that are whole hours away from the same moment in another source.

    Compared are columns of one name, and others most of whose moments are the same to the minute; of several rows for
    a key the nearest one.
    """
    found: list[Finding | Skip] = []
    for both in pairs(charter, surveys):
        first, second = (_clocks(side) for side in (both.first, both.second))
        for name, now in second.items():
            for other, then in first.items():
                one = _apart(both, (other, then), (name, now))
                if one is not None:
                    found.append(one)
    return found


def _clocks(side: Rows) -> dict[str, np.ndarray]:
    """Give the columns with times of day, most of them off the full hour."""
    clocks = {}
    for name in side.survey.days:
        days = side.days(name)
        known = days[np.isfinite(days)]
        hours = known[:1000] * 24
        if len(known) >= FEWEST and (np.abs(hours - np.round(hours)) > 24 * MINUTE).mean() > 0.5:
            clocks[name] = days
    return clocks


def _apart(both: Pair, first: tuple[str, np.ndarray], second: tuple[str, np.ndarray]) -> Finding | None:
    (other, then), (name, now) = first, second
    hours = _nearest(both, then, now) * 24
    known = np.isfinite(hours)
    if known.sum() < FEWEST:
        return None
    whole = np.round(hours)
    exact = known & (np.abs(hours - whole) < 24 * MINUTE) & (np.abs(whole) <= HOURS)
    same, moved = exact & (whole == 0), exact & (whole != 0)
    if moved.sum() < 5 or moved.sum() <= LIMITS.warn * known.sum():
        return None
    steps, times = np.unique(whole[moved], return_counts=True)
    everywhere = name == other and times.max() > 0.5 * known.sum()
    # summer and winter time make two steps of one zone
    if not everywhere and (same.sum() <= 0.5 * known.sum() or np.sort(times)[-2:].sum() < 0.5 * moved.sum()):
        return None
    share = float(moved.sum() / known.sum())
    survey, base = both.second.survey, both.first.survey
    step = round(float(steps[times.argmax()]))
    what = (
        f"{amount(moved.sum(), 'time')} of {name} in {survey.name} ({share:.1%}) {agree(moved.sum(), 'is', 'are')} "
        f"exactly {amount(abs(step), 'hour')} {'after' if step > 0 else 'before'} {other} in {base.name}{both.basis}."
    )
    examples = both.second.frame[name][moved].head(FEWEST).astype(str)
    severity: Severity = "fail" if share > TIMES_FAIL else "warn"
    rows = int(moved.sum())
    check, limit = "consistency.timezone", LIMITS.warn
    return finding(check, survey.name, name, severity, share, limit, what, rows, examples, "second source")


def _nearest(both: Pair, then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Give the days from the nearest moment of the same key in the first source to each row of the second."""
    result = np.full(len(now), np.nan)
    ours = np.flatnonzero((both.first.codes >= 0) & np.isfinite(then))
    theirs = np.flatnonzero((both.second.codes >= 0) & np.isfinite(now))
    if not len(ours) or not len(theirs):
        return result
    ours = ours[np.lexsort((then[ours], both.first.codes[ours]))]
    start = min(then[ours].min(), now[theirs].min())
    length = max(then[ours].max(), now[theirs].max()) - start + 1
    # one number line for all keys: no day of one is near a day of another
    line = both.first.codes[ours] * length * 2 + then[ours] - start
    mine = both.second.codes[theirs] * length * 2 + now[theirs] - start
    after = np.clip(np.searchsorted(line, mine), 0, len(line) - 1)
    before = np.clip(after - 1, 0, len(line) - 1)
    best = np.where(np.abs(line[after] - mine) < np.abs(line[before] - mine), after, before)
    same = both.first.codes[ours[best]] == both.second.codes[theirs]
    result[theirs[same]] = now[theirs[same]] - then[ours[best[same]]]
    return result
