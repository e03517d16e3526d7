"""Do the keys of the silos find each other, and does each stand for one row? Counted over all rows (L4d)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data.sources import engine
from lab2live.eda.checks import missing
from lab2live.eda.checks.copies import copies
from lab2live.eda.checks.findings import EXAMPLES, Finding, Severity, Skip, finding
from lab2live.eda.checks.pairs import as_text, pair, with_base
from lab2live.eda.checks.repeated_keys import duplicates, repeated
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import agree, amount

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["copies", "duplicates", "fan_out", "orphans"]

# Growth of the table by the join above which it is a finding, and above which the table cannot be used.
GROWTH_WARN, GROWTH_FAIL = 0.02, 0.10
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
        Some of the orphans: all of them in small tables, of large ones those among a sample of keys.
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
    limits = missing.limits(charter, "eda.referential_integrity")
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
                "integration.orphan_keys",
                other.name,
                column,
                severity,
                share,
                limits.warn,
                what,
                met.orphans,
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
        keys, _, examples = repeated(other, tuple(charter.join_keys))
        what = (
            f"{other.name} has several rows for {keys:,} of {amount(met.keys, 'value')} of {column}: joined to "
            f"{base.name}, {amount(met.base_rows, 'row')} {agree(met.base_rows, 'becomes', 'become')} "
            f"{met.joined_rows:,} (+{growth:.1%})."
        )
        severity: Severity = "fail" if growth > GROWTH_FAIL else "warn"
        rows = met.joined_rows - met.base_rows
        found.append(
            finding(
                "integration.fan_out",
                other.name,
                column,
                severity,
                growth,
                GROWTH_WARN,
                what,
                rows,
                examples=examples,
            )
        )
    return found


@functools.lru_cache(maxsize=8)  # orphans and fan-out are two views of the same count
def _meet(base: Survey, other: Survey, on: tuple[str, ...]) -> Meeting:
    if base.complete and other.complete:
        return _meet_here(base, other, on)
    ours, theirs = _sides(base, other, on)
    unique = not other.source.aggregate and repeated(base, on)[1] == repeated(other, on)[1] == 0
    counted = _joined(ours, theirs, on) if unique else _grouped(ours, theirs, on)
    shown = _unknown(base, other, on) if counted["orphans"] else ()
    if counted["orphans"] and not shown:  # too few to be among the sample's keys
        few = theirs.anti_join(ours, list(on)).select(*on).limit(EXAMPLES).to_pandas()
        shown = tuple(few.astype(str).agg(" / ".join, axis=1))
    return Meeting(**counted, shown=shown)


def _joined(ours: ir.Table, theirs: ir.Table, on: Sequence[str]) -> dict[str, int]:
    """Count keys that are unique on both sides, which one join does."""
    keys, base_keys = (int(side.count().execute()) for side in (theirs, ours))
    orphans = int(theirs.anti_join(ours, list(on)).count().execute())
    return {
        "keys": keys,
        "base_keys": base_keys,
        "orphans": orphans,
        "unmatched": base_keys - (keys - orphans),
        "base_rows": base_keys,
        "joined_rows": base_keys,
    }


def _grouped(ours: ir.Table, theirs: ir.Table, on: Sequence[str]) -> dict[str, int]:
    """Count keys that may have several rows on either side."""
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
    return {name: int(value or 0) for name, value in summary.to_pyarrow().to_pylist()[0].items()}


def _unknown(base: Survey, other: Survey, on: tuple[str, ...]) -> tuple[str, ...]:
    """Name unknown keys among some of the sample's; the join that counts them would take as long again to list them."""
    both = pair(base, other, on)
    return tuple(sorted(both.keys[(both.second.times > 0) & (both.first.times == 0)]))


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
