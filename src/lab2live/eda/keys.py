"""Do the keys of the silos find each other, and does each stand for one row? Counted over all rows (L4d)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.eda import engine, missing
from lab2live.eda.copies import copies
from lab2live.eda.findings import EXAMPLES, Finding, Skip, finding
from lab2live.eda.pairs import as_text, pair, with_base
from lab2live.eda.survey import Survey
from lab2live.schema import Charter

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["copies", "duplicates", "fan_out", "orphans"]

# Above this share of repeated keys a source holds several rows per key by its nature; below, they look like errors.
BY_NATURE = 0.2
# Growth of the table by the join above which it is a finding, and above which the table cannot be used.
GROWTH_WARN, GROWTH_FAIL = 0.02, 0.10
# So many unknown keys of a large source are looked at more closely.
LOOKED_AT = 1000
# What keys are written with or without. Letters and digits stay.
DECORATION = (" ", "\u00a0", "\t", "-", "_", ".", "/")


@dataclass(frozen=True)
class Meeting:
    """How the keys of a source meet those of the base; keys are distinct and not missing.

    Attributes
    ----------
    keys, base_keys
        How many there are.
    orphans
        Keys of the source that the base does not know.
    unmatched
        Keys of the base that the source does not know.
    base_rows, joined_rows
        Rows of the base with a key, and what they become in a left join.
    shown
        Some of the orphans: all of them in small tables.
    """

    keys: int
    base_keys: int
    orphans: int
    unmatched: int
    base_rows: int
    joined_rows: int
    shown: tuple[str, ...]


def orphans(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find keys that a source has and the base does not know.

    Returns
    -------
    list of Finding
        One per joined source. `value` is the share of its keys that are unknown to the base. How many keys of the base
        have nothing in the source is in the message and in no limit: customers without a ticket are no fault.
    """
    limits = missing.limits(charter, "eda.orphan_keys")
    found: list[Finding | Skip] = []
    for base, other in with_base(charter, surveys):
        met = _meet(base, other, tuple(charter.join_keys))
        share = met.orphans / max(met.keys, 1)
        what = (
            f"{share:.1%} of the keys in {other.name} ({met.orphans:,} of {met.keys:,}) are unknown to {base.name}; "
            f"{met.unmatched / max(met.base_keys, 1):.1%} of the keys in {base.name} have nothing in {other.name}."
        )
        severity = limits.severity(share)
        if severity != "info":
            what += _if_written_alike(base, met, charter.join_keys)
        column = ", ".join(charter.join_keys)
        found.append(
            finding(
                *("integration.orphan_keys", other.name, column, severity, share, limits.warn, what, met.orphans),
                examples=met.shown,
            )
        )
    return found


def fan_out(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find sources whose join multiplies the rows of the base: several rows for a key, and nothing aggregates them."""
    found: list[Finding | Skip] = []
    for base, other in with_base(charter, surveys):
        if other.source.aggregate:
            continue
        met = _meet(base, other, tuple(charter.join_keys))
        growth = met.joined_rows / max(met.base_rows, 1) - 1
        if growth <= GROWTH_WARN:
            continue
        column = ", ".join(charter.join_keys)
        keys, _, examples = _repeated(other, tuple(charter.join_keys))
        what = (
            f"{other.name} has several rows for {keys:,} of {met.keys:,} values of {column}: joined to {base.name}, "
            f"{met.base_rows:,} rows become {met.joined_rows:,} (+{growth:.1%})."
        )
        severity = "fail" if growth > GROWTH_FAIL else "warn"
        rows = met.joined_rows - met.base_rows
        found.append(
            finding(
                *("integration.fan_out", other.name, column, severity, growth, GROWTH_WARN, what, rows),
                examples=examples,
            )
        )
    return found


def duplicates(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find keys that stand for several rows, and keys that are one but for upper case and spaces.

    A source that the charter aggregates has many rows for a key, and one that has them by its nature is left to
    `fan_out`; spellings of one key are a fault everywhere.
    """
    names = _key_names(charter, survey)
    if not names:
        return []
    limits = missing.limits(charter, "eda.duplicate_keys")
    column = ", ".join(names)
    found: list[Finding | Skip] = []
    is_base = survey.name == charter.base.name
    if not survey.source.aggregate:
        keys, surplus, examples = _repeated(survey, names)
        if surplus and (is_base or keys <= BY_NATURE * (survey.rows - surplus)):
            what = (
                f"{keys:,} keys of {survey.name} stand for more than one row "
                f"({surplus:,} rows too many after the join, {surplus / survey.rows:.1%})."
            )
            severity = limits.severity(surplus)
            found.append(
                finding(
                    *("integration.duplicate_keys", survey.name, column, severity, surplus, limits.warn, what, surplus),
                    examples=examples,
                )
            )
    for name in names:
        spelt = _spellings(survey, name)
        if spelt:
            what = (
                f"{len(spelt):,} values of {name} in {survey.name} are written in several ways that differ in upper "
                f"case or spaces only."
            )
            severity = limits.severity(len(spelt))
            found.append(
                finding(
                    *("integration.duplicate_keys", survey.name, name, severity, len(spelt), limits.warn, what),
                    rows=len(spelt),
                    examples=[" | ".join(map(repr, ways[:EXAMPLES])) for ways in spelt[:EXAMPLES]],
                )
            )
    return found


def _key_names(charter: Charter, survey: Survey) -> tuple[str, ...]:
    """Name what should be unique: in the base the id of a case, in the others what they are joined by."""
    joined = tuple(charter.join_keys)
    own = (charter.prediction.id_column, survey.source.key)
    if survey.name == charter.base.name:
        single = next((name for name in own if name in survey.facts), None)
        # a base with one row per customer and month has no key of one column
        if single is not None and not (len(joined) > 1 and single in joined):
            return (single,)
    return joined if joined and set(joined) <= set(survey.facts) else ()


@functools.lru_cache(maxsize=8)  # orphans and fan-out are two views of the same count
def _meet(base: Survey, other: Survey, on: tuple[str, ...]) -> Meeting:
    if base.complete and other.complete:
        return _meet_here(base, other, on)
    ours, theirs = _sides(base, other, on)
    both = ours.union(theirs).group_by(list(on))
    both = both.aggregate(ours=lambda rows: rows.ours.sum(), theirs=lambda rows: rows.theirs.sum())
    known, there = both.ours > 0, both.theirs > 0
    one, none = 1, 0
    summary = both.aggregate(
        keys=there.ifelse(one, none).sum(),
        base_keys=known.ifelse(one, none).sum(),
        orphans=(there & ~known).ifelse(one, none).sum(),
        unmatched=(known & ~there).ifelse(one, none).sum(),
        base_rows=both.ours.sum(),
        joined_rows=there.ifelse(both.ours * both.theirs, both.ours).sum(),
    )
    counted = {name: int(value or 0) for name, value in summary.to_pyarrow().to_pylist()[0].items()}
    shown: tuple[str, ...] = ()
    if counted["orphans"]:
        unknown = theirs.anti_join(ours, list(on)).select(*on).limit(LOOKED_AT).to_pandas().drop_duplicates()
        shown = tuple(unknown.astype(str).agg(" / ".join, axis=1).sort_values())
    return Meeting(**counted, shown=shown)


def _meet_here(base: Survey, other: Survey, on: tuple[str, ...]) -> Meeting:
    """Count tables that are here as a whole without asking the engine again."""
    both = pair(base, other, on)
    ours, theirs = both.first.times, both.second.times
    unknown = both.keys[(theirs > 0) & (ours == 0)]
    return Meeting(
        int((theirs > 0).sum()),
        int((ours > 0).sum()),
        len(unknown),
        int(((ours > 0) & (theirs == 0)).sum()),
        int(ours.sum()),
        int((ours * np.maximum(theirs, 1)).sum()),
        tuple(sorted(unknown)),
    )


def _sides(base: Survey, other: Survey, on: Sequence[str]) -> tuple[ir.Table, ir.Table]:
    """Put the keys of two tables, with the number of their rows, where they can be compared.

    Two tables in one engine stay there. Of others only the distinct keys are moved, into the embedded engine.
    """
    import ibis

    tables = [one.table.filter([one.table[name].notnull() for name in on]) for one in (base, other)]
    tables = [
        table.select(**{name: _comparable(table[name], other[name]) for name in on})
        for table, other in (tables, tables[::-1])
    ]
    engines = [one.table.get_backend() for one in (base, other)]
    if engines[0] is engines[1]:
        counted = [table.mutate(times=ibis.literal(1, "int64")) for table in tables]
    else:
        counted = [
            engine.embedded_copy(table.group_by(list(on)).aggregate(times=table.count().cast("int64")))
            for table in tables
        ]
    nothing = ibis.literal(0, "int64")
    ours, theirs = counted
    return (
        ours.select(*on, ours=ours.times, theirs=nothing),
        theirs.select(*on, ours=nothing, theirs=theirs.times),
    )


def _comparable(column: Any, other: Any) -> Any:
    """Give a key in a type that both silos have: casts cost more than the join, so only where it has to be as text."""
    kind, its = column.type(), other.type()
    if kind.is_integer() and its.is_integer():
        return column.cast("int64")
    if kind.is_numeric() and its.is_numeric():
        return column.cast("float64")
    if kind.is_string() and its.is_string():
        return column.cast("string")
    return column if kind == its else as_text(column)


def _if_written_alike(base: Survey, met: Meeting, on: Sequence[str]) -> str:
    """Say how many unknown keys the base would know if case, spaces, signs and leading zeros did not count."""
    if len(on) > 1 or not met.shown:
        return ""
    wanted = [_plain(key) for key in met.shown]
    if base.complete:
        known = {_plain(str(key)) for key in base.sample[on[0]].dropna()}
    else:
        text = as_text(base.table[on[0]]).lower()
        for sign in DECORATION:
            text = text.replace(sign, "")
        text = text.re_replace("^0+", "")
        written = base.table.select(key=text)
        known = set(written.filter(written.key.isin(sorted(set(wanted)))).distinct().to_pandas()["key"])
    would = sum(key in known for key in wanted)
    if would < max(1, len(wanted) // 10):
        return ""
    return (
        f" {would:,} of {len(wanted):,} of them would be found if upper case, spaces, signs and leading zeros did not "
        f"count."
    )


def _plain(key: str) -> str:
    return re.sub(f"[{re.escape(''.join(DECORATION))}]", "", key.lower()).lstrip("0")


def _repeated(survey: Survey, names: tuple[str, ...]) -> tuple[int, int, list[str]]:
    """Count keys with several rows, and the rows beyond the first of each; missing keys are no copies."""
    if survey.complete:
        keys = survey.sample[list(names)].dropna()
        again = keys.duplicated()
        if not again.any():
            return 0, 0, []
        times = keys[keys.duplicated(keep=False)].value_counts(sort=False)
        times = times.sort_values(ascending=False, kind="stable")
        examples = [" / ".join(map(str, key)) for key in times.index[:EXAMPLES]]
        return len(times), int(again.sum()), examples
    table = survey.table.filter([survey.table[name].notnull() for name in names])
    counted = table.group_by(list(names)).aggregate(lab2live_times=table.count())
    repeated = counted.filter(counted.lab2live_times > 1)
    # the most frequent keys are the examples; a few of them come with the totals, in one pass
    totals = repeated.aggregate(keys=repeated.count(), rows=repeated.lab2live_times.sum()).to_pyarrow().to_pylist()[0]
    number = int(totals["keys"] or 0)
    if not number:
        return 0, 0, []
    examples = repeated.select(*names).limit(EXAMPLES).to_pandas().astype(str).agg(" / ".join, axis=1)
    return number, int(totals["rows"]) - number, list(examples)


def _spellings(survey: Survey, name: str) -> list[list[str]]:
    """Group the keys that differ in upper case and spaces only, each group with its spellings."""
    if survey.facts[name].kind != "text":
        return []
    whole = survey.complete
    written = survey.sample[name].dropna().drop_duplicates().astype(str) if whole else _odd_keys(survey, name)
    together = "\n".join(written)
    # most keys are written plainly, which is quickly seen of all of them at once
    if together in (together.upper(), together.lower()) and len(together.split()) == len(written):
        return []
    bare = pd.Series(["".join(key.split()) for key in written], index=written.index, dtype=object)
    folded = bare if _case_matters(bare) else pd.Series([key.casefold() for key in bare], bare.index, dtype=object)
    if folded.is_unique:
        return []
    groups = written[folded.duplicated(keep=False)].groupby(folded, sort=False)
    return [sorted(ways) for _, ways in groups]


def _case_matters(keys: pd.Series) -> bool:
    """Say whether aB3 and Ab3 are two keys: where upper and lower case are mixed in ever new ways."""
    some = keys.head(LOOKED_AT)
    patterns = {re.sub("[a-z]", "a", re.sub("[A-Z]", "A", key)) for key in some}
    mixed = sum(key not in (key.lower(), key.upper()) for key in some)
    return mixed > 0.5 * len(some) and len({re.sub("[^aA]", "", pattern) for pattern in patterns}) > 0.1 * len(some)


def _odd_keys(survey: Survey, name: str) -> pd.Series:
    """Fetch from a large table the keys that share their plain form with another one."""
    table = survey.table.filter(survey.table[name].notnull())
    column = table[name]
    keys = table.group_by(key=column, plain=column.lower().replace(" ", "")).aggregate()
    groups = keys.group_by("plain").aggregate(ways=keys.count())
    several = keys.semi_join(groups.filter(groups.ways > 1), "plain").limit(LOOKED_AT)
    return several.to_pandas()["key"].astype(str)
