"""Values that stand in the wrong row: against an earlier extract, the other columns, another source (L4d)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.pairs import Pair, Rows, pair, pairs
from lab2live.eda.checks.slips import FEWEST_ROWS, SHIFTS, Parts, Slip, parts, slipped
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import amount

# Share of rows that differ from what they were, or from the other source, from which a slip is looked for.
WARN, FAIL = 0.02, 0.10
# Of those rows, so many agree with a neighbour beyond chance.
NEIGHBOURS = 0.5
# A column whose rows changed places has the same values as before: this share of them, with that many different ones.
SAME_VALUES, DIFFERENT = 0.998, 20
FEWEST = 20
# Of more rows than these, so many stretches are looked at.
MOST_ROWS, STRETCHES = 4000, 8


def misaligned(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find columns that slipped against their rows, in all of them or in a block.

    An earlier extract shows it directly: values are now where their neighbour's were. Without one it shows where a
    column no longer goes with the others, and would if it were moved by a few rows.

    Returns
    -------
    list of Finding
        `value` is the share of rows concerned.
    """
    found = _since(survey)
    named = {one.column for one in found}
    rows = _stretches(np.arange(len(survey.sample)))
    slips = slipped(_parts_of(survey, rows), order=survey.complete)
    found += [_worded(survey, name, _placed(slip, rows)) for name, slip in slips.items() if name not in named]
    return list(found)


def _stretches(rows: np.ndarray) -> np.ndarray:
    """Keep a few stretches of neighbouring rows, evenly apart, of many."""
    if len(rows) <= MOST_ROWS:
        return rows
    length = MOST_ROWS // STRETCHES
    starts = np.linspace(0, len(rows) - length, STRETCHES).astype(int)
    return rows[np.unique((starts[:, None] + np.arange(length)).ravel())]


def _placed(slip: Slip, rows: np.ndarray) -> Slip:
    """Say where a slip is in the source, from where it is among the rows looked at."""
    return Slip(int(rows[slip.start]), int(rows[slip.stop - 1]) + 1, slip.shift, slip.evidence)


def _worded(
    survey: Survey, name: str, slip: Slip, against: str = "the other columns", witness: Witness | None = None
) -> Finding:
    number = slip.stop - slip.start
    share = number / len(survey.sample)
    how = (
        f"goes with the values of {abs(slip.shift)} row{'s' * (abs(slip.shift) > 1)} "
        f"{'further down' if slip.shift > 0 else 'further up'}"
        if slip.shift
        else "goes with nothing"
    )
    fits = "does not belong to" if slip.shift else "no longer goes with"
    what = (
        f"In {share:.0%} of {survey.name} (rows {slip.start + 1:,} to {slip.stop:,}) {name} {fits} {against}: it "
        f"{how}{survey.basis}."
    )
    examples = survey.sample[name].iloc[slip.start : slip.stop].head(3).astype(str)
    severity: Severity = "fail" if share > FAIL else "warn"
    rows = number if survey.complete else round(share * survey.rows)
    return finding("consistency.row_shift", survey.name, name, severity, share, WARN, what, rows, examples, witness)


def _parts_of(survey: Survey, chosen: np.ndarray) -> Parts:
    """Write the columns of a source as numbers, in some of its sampled rows."""
    names = {
        name: values for side in (survey.numbers, survey.days) for name, values in side.items() if _told(survey, name)
    }
    booleans = [name for name, known in survey.facts.items() if known.kind == "boolean" and _told(survey, name)]
    texts = {name: values for name, values in survey.texts.items() if _told(survey, name)}
    categories = {**texts, **{name: survey.sample[name] for name in booleans}}
    return parts(
        {name: values[chosen] for name, values in names.items()},
        {name: values.iloc[chosen] for name, values in categories.items() if survey.facts[name].distinct <= 50},
    )


def _told(survey: Survey, name: str) -> bool:
    return name not in survey.identifiers and survey.facts[name].distinct > 1


def _since(survey: Survey) -> list[Finding]:
    """Compare every row with its earlier state."""
    earlier = survey.earlier
    if earlier is None or survey.key is None or earlier.key is None or not (survey.complete and earlier.complete):
        return []
    both = pair(earlier, survey, (survey.key,))
    ours, theirs = both.partners()
    if len(theirs) < FEWEST:
        return []
    changed = {}
    for name in survey.facts:
        if name in survey.identifiers or name not in earlier.facts:
            continue
        then, now = coded(both, name, ours, theirs)
        changed[name] = then, now, (then != now) & (then >= 0) & (now >= 0)
    shares = {name: float(differ.mean()) for name, (_, _, differ) in changed.items()}
    found = []
    for name, (then, now, differ) in changed.items():
        if differ.sum() < max(FEWEST, WARN * len(differ)):
            continue
        rest = [share for other, share in shares.items() if other != name]
        shift = slip_of(now, then, differ)
        alone = bool(rest) and float(np.median(rest)) < WARN
        if shift is None and not (alone and _changed_places(now[differ], then[differ])):
            continue
        where = "in the neighbouring row" if shift else "in other rows"
        what = (
            f"{shares[name]:.1%} of {name} in {survey.name} ({amount(differ.sum(), 'row')}) stood {where} in the "
            f"earlier extract."
        )
        severity: Severity = "fail" if shares[name] > FAIL else "warn"
        examples = both.keys[both.second.codes[theirs[differ]][:3]]
        found.append(
            finding(
                "consistency.row_shift",
                survey.name,
                name,
                severity,
                shares[name],
                WARN,
                what,
                int(differ.sum()),
                examples=examples,
                witness="snapshot",
            )
        )
    return found


def coded(both: Pair, name: str, ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the values of one column in two sources alike, in rows that belong together; -1 for missing."""
    sides = [_comparable(both, side, name) for side in (both.first, both.second)]
    codes = pd.factorize(pd.concat([sides[0].iloc[ours], sides[1].iloc[theirs]], ignore_index=True))[0]
    return codes[: len(ours)], codes[len(ours) :]


def _comparable(both: Pair, side: Rows, name: str) -> pd.Series:
    if all(name in one.survey.numbers for one in (both.first, both.second)):
        with np.errstate(over="ignore", invalid="ignore"):
            return pd.Series(side.numbers(name)).round(6)
    if all(name in one.survey.days for one in (both.first, both.second)):
        return pd.Series(side.days(name)).round(6)
    return side.texts(name)


def slip_of(now: np.ndarray, other: np.ndarray, differ: np.ndarray) -> int | None:
    """Say by how many rows values that differ from their partner slipped, if they did.

    Parameters
    ----------
    now, other
        Codes of equal values, in the order of the source that is judged.
    differ
        Where they are not equal.
    """
    places = np.flatnonzero(differ)
    if len(places) < FEWEST:
        return None
    size = int(max(now.max(), other.max())) + 1
    chance = float(
        (np.bincount(now[places], minlength=size) / len(places))
        @ (np.bincount(other[other >= 0], minlength=size) / max(1, (other >= 0).sum()))
    )
    for shift in SHIFTS:
        beside = np.clip(places + shift, 0, len(other) - 1)
        agree = float((other[beside] == now[places]).mean())
        if agree > chance + NEIGHBOURS * (1 - chance):
            return shift
    return None


def _changed_places(now: np.ndarray, then: np.ndarray) -> bool:
    """Say whether two sets of changed values are the same set."""
    size = int(max(now.max(), then.max())) + 1
    counts = [np.bincount(side, minlength=size) for side in (now, then)]
    same = np.minimum(*counts).sum() / len(now)
    return bool(same >= SAME_VALUES and (counts[0] > 0).sum() >= DIFFERENT)


def misaligned_across(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find columns that slipped against another source with the same keys.

    An attribute that two sources share differs in many rows but agrees a few rows further; or a column goes with the
    base's columns only if it is moved.
    """
    found: dict[tuple[str, str], Finding | Skip] = {}
    for both in pairs(charter, surveys):
        ours, theirs = both.partners()
        if not both.whole or len(theirs) < FEWEST_ROWS:
            continue
        survey, first = both.second.survey, both.first.survey
        for name in both.shared():
            then, now = coded(both, name, ours, theirs)
            differ = (then != now) & (then >= 0) & (now >= 0)
            if differ.mean() > WARN and slip_of(now, then, differ):
                slip = Slip(int(theirs[differ][0]), int(theirs[differ][-1]) + 1, slip_of(now, then, differ) or 0, 0.0)
                found[survey.name, name] = _worded(
                    survey, name, slip, f"the same keys in {first.name}", "second source"
                )
        if first.name != charter.base.name or len(theirs) < 0.5 * len(survey.sample):
            continue
        some = _stretches(np.arange(len(theirs)))
        slips = slipped(_parts_of(survey, theirs[some]), _parts_of(first, ours[some]))
        for name, slip in slips.items():
            against = f"the same keys in {first.name}"
            worded = _worded(survey, name, _placed(slip, theirs[some]), against, "second source")
            found.setdefault((survey.name, name), worded)
    return list(found.values())
