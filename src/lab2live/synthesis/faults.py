"""Faults to plant on purpose, with the truth about each: the exam that the checks of the data have to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import nearest
from lab2live.data.feature_types import as_days
from lab2live.errors import UserError
from lab2live.synthesis import planting
from lab2live.synthesis import planting_outcomes as outcomes
from lab2live.synthesis import planting_rows as rows
from lab2live.synthesis.planting import Plot

# How much of a kind's full share is planted.
STRENGTHS = {"full": 1.0, "half": 0.5, "quarter": 0.25}
# A column of real times of day, not of dates only, has this share of rows away from midnight.
WITH_TIMES = 0.5


@dataclass(frozen=True)
class Kind:
    """One way in which data are wrong.

    Attributes
    ----------
    checks
        The findings that are right; any of them will do.
    what
        What is done to the data, in plain words.
    takes
        Columns it can be planted in: `number`, `text`, `date`, `moment` (a date with a time of day), `any`, or `new`:
        the column is added.
    full
        Share of rows touched at full strength.
    change
        Plants it.
    needs
        What the charter has to give for it to be visible, beyond the data: `snapshot`, `expected`, `critical`,
        `limits`, `date_column`, `fresh_within_days`, `annotators`, `label_delay_days`, `time_column`, `key`, `join`.
    graded
        Whether less of it is still the same fault; a column is renamed or not.
    """

    checks: tuple[str, ...]
    what: str
    takes: str
    full: float
    change: Callable[[Plot], None]
    needs: tuple[str, ...] = ()
    graded: bool = True

    def share(self, strength: str) -> float:
        """Give the share of rows touched at a strength."""
        return self.full * (STRENGTHS[strength] if self.graded else 1.0)


def _kind(
    check: str, what: str, takes: str, full: float, change: Callable[[Plot], None], *needs: str, graded: bool = True
) -> Kind:
    return Kind((check,), what, takes, full, change, needs, graded)


KINDS: Mapping[str, Kind] = {
    "critical_nulls": _kind(
        "missing.critical", "a critical column is empty in some rows", "any", 0.10, planting.nulls, "critical"
    ),
    "sentinel_number": _kind("missing.sentinel", "-999 stands for nothing", "number", 0.04, planting.number),
    "sentinel_date": _kind("missing.sentinel", "1900-01-01 stands for nothing", "date", 0.04, planting.date),
    "token": _kind("missing.placeholder", "a word stands for nothing", "text", 0.05, planting.token),
    "blanks": _kind("missing.placeholder", "spaces stand for nothing", "text", 0.05, planting.blanks),
    "outliers": _kind("outlier.univariate", "values fifty times too large", "number", 0.02, planting.outliers),
    "mixed_up_rows": _kind(
        "outlier.multivariate",
        "values of a column that goes with another are swapped between rows",
        "number",
        0.10,
        planting.shuffled,
    ),
    "level_shift": _kind("drift.change_point", "values nearly double from a day on", "number", 0.30, planting.shift),
    "constant": _kind("validity.constant", "one value everywhere", "any", 1.0, planting.constant, graded=False),
    "near_constant": _kind(
        "validity.constant", "one value in all but a few rows", "any", 0.998, planting.constant, graded=False
    ),
    "impossible": _kind(
        "validity.range", "numbers below the declared minimum", "number", 0.02, planting.negative, "limits"
    ),
    "entity_missing": _kind(
        "completeness.category", "all rows of one expected value are gone", "text", 0.10, rows.entity, "expected"
    ),
    "entity_lost": _kind(
        "completeness.category",
        "all rows of one value are gone since last time",
        "text",
        0.10,
        rows.entity,
        "snapshot",
    ),
    "band_missing": _kind(
        "completeness.category", "all rows with numbers in one band are gone", "number", 0.15, rows.band
    ),
    "combination_missing": _kind(
        "completeness.combination", "all rows with two values together are gone", "text", 0.05, rows.combination
    ),
    "time_gap": _kind("completeness.time_gap", "all rows of some days are gone", "date", 0.06, rows.gap),
    "orphan_keys": _kind(
        "integration.orphan_keys", "keys that the base does not know", "any", 0.05, rows.orphans, "join"
    ),
    "spelt_keys": _kind(
        "integration.duplicate_keys",
        "copies whose key differs in case or spaces",
        "any",
        0.03,
        rows.spelt_keys,
    ),
    "repeated_keys": _kind(
        "integration.duplicate_keys", "one key for two different rows", "any", 0.03, rows.repeated_keys, "key"
    ),
    "copied_rows": _kind("duplicate.rows", "rows that stand there twice", "any", 0.03, rows.copies),
    "fan_out": _kind(
        "integration.fan_out", "several rows a key where there was one", "any", 0.05, rows.fan_out, "join"
    ),
    "conflict": _kind(
        "consistency.conflict", "two sources disagree about some keys", "text", 0.05, planting.conflict, "join"
    ),
    "unit_part": _kind("consistency.unit", "cents for euros in some rows", "number", 0.05, planting.hundred),
    "unit_all": _kind(
        "consistency.unit", "cents for euros everywhere", "number", 1.0, planting.hundred, "snapshot", graded=False
    ),
    "spelling": _kind("consistency.spelling", "some values spelt otherwise", "text", 0.06, planting.spelling),
    "mojibake": _kind("consistency.encoding", "UTF-8 read as another encoding", "text", 0.05, planting.mojibake),
    "swapped_dates": _kind(
        "consistency.date_order", "day and month swapped, still valid dates", "date", 0.08, planting.swapped_dates
    ),
    "swapped_texts": _kind(
        "consistency.date_order", "MM/DD among DD/MM in a text", "text", 0.08, planting.swapped_texts
    ),
    "timezone": _kind("consistency.timezone", "times moved by hours in some rows", "moment", 0.15, planting.timezone),
    "decimal_comma": _kind(
        "consistency.decimal_comma", "39,22 among 39.22 in a text file", "number", 0.05, planting.commas
    ),
    "leading_zeros": _kind("consistency.leading_zeros", "007 has become 7", "text", 0.05, planting.zeros),
    "words": _kind("schema.dtype", "words among numbers", "number", 0.03, planting.words),
    "renamed": _kind(
        "schema.columns", "a column has another name", "any", 1.0, planting.renamed, "snapshot", graded=False
    ),
    "dropped": _kind("schema.columns", "a column is gone", "any", 1.0, planting.dropped, "snapshot", graded=False),
    "truncated": _kind(
        "completeness.truncated",
        "the last rows of the export are gone",
        "any",
        0.30,
        rows.truncated,
        "snapshot",
    ),
    "late": _kind("timeliness.incomplete_period", "most rows of the last week are gone", "date", 0.80, rows.late),
    "stale": _kind(
        "timeliness.stale", "nothing new has arrived for long", "date", 0.30, rows.stale, "fresh_within_days"
    ),
    "misaligned": _kind(
        "consistency.row_shift", "values slip by one row from some row on", "any", 0.40, planting.misaligned
    ),
    "leaking_feature": _kind(
        "leakage.feature", "a score written once the outcome is known", "new", 0.95, outcomes.leak
    ),
    "leaking_identifier": _kind(
        "leakage.identifier", "keys in the order of the outcome", "any", 1.0, outcomes.ordered_keys
    ),
    "leaking_date": _kind("leakage.time", "a date that is written after the outcome", "new", 0.95, outcomes.later_date),
    "label_flips": _kind("label.noise", "wrong outcomes", "any", 0.10, outcomes.flips),
    "label_disagreement": _kind(
        "label.agreement", "two people who label disagree", "any", 0.25, outcomes.annotators, "annotators"
    ),
    "label_immature": _kind(
        "label.not_matured",
        "cases so new that their outcome is not known yet",
        "any",
        0.10,
        outcomes.immature,
        "label_delay_days",
        "time_column",
    ),
}


def plant(
    frames: Mapping[str, pd.DataFrame], kind: str, source: str, column: str, share: float, seed: int = 0, **more: Any
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Plant one fault in a copy of the tables.

    Parameters
    ----------
    frames
        Source -> its rows.
    kind
        One of `KINDS`.
    source, column
        Where. For kinds that take a `new` column: its name.
    share
        Share of rows to touch, between 0 and 1.
    seed
        Of all draws.
    more
        What some kinds take or need beyond that: `value`, `factor`, `hours`, `days`, `words`, `new` (a name), `other`
        (a second column), `partners`, `key`, `base`, `target`, `date_column`, `time_column`, `delay`, `until`,
        `annotators`, `along`.

    Returns
    -------
    frames, truth
        The tables with the fault in them, and what a check should say: `kind`, `checks`, `source`, `column`, `places`
        (all pairs of source and column that are right), `share`, `rows` (touched, added or taken away), `positions`
        (of touched and added rows) and `examples` (values there now).

    Raises
    ------
    UserError
        If there is no such kind, source or column, or the kind does not fit the column.
    """
    if kind not in KINDS:
        raise UserError("There is no such kind of fault.", found=kind, fix=f"choose another{nearest(kind, KINDS)}")
    if source not in frames:
        raise UserError("There is no such source.", found=source, expected=", ".join(frames))
    if not 0 < share <= 1:
        raise UserError("The share of rows must be above 0 and at most 1.", found=share)
    known = KINDS[kind]
    _check_fit(known, kind, frames[source], source, column)
    copies = {name: frame.reset_index(drop=True) for name, frame in frames.items()}
    plot = Plot(copies, source, column, share, np.random.default_rng([seed, len(kind), *kind.encode()]), more)
    known.change(plot)
    places = [(source, plot.column), *plot.places]
    if known.checks[0] in ("completeness.truncated", "duplicate.rows"):  # these are about rows, not about a column
        places.append((source, None))
    here = plot.frame[plot.column] if plot.column in plot.frame else pd.Series(dtype=object)
    return plot.frames, {
        "kind": kind,
        "checks": list(known.checks),
        "source": source,
        "column": plot.column,
        "places": [list(place) for place in dict.fromkeys(places)],
        "share": share,
        "rows": len(plot.rows) or plot.lost,
        "positions": plot.rows.tolist(),
        "examples": [str(value) for value in here.iloc[plot.rows[:3]]] if len(here) else [],
    }


def _check_fit(known: Kind, kind: str, frame: pd.DataFrame, source: str, column: str) -> None:
    where = f"source `{source}`, column `{column}`"
    if known.takes == "new":
        if column in frame:
            raise UserError(f"The kind `{kind}` adds a column, and there is one of that name.", where=where)
        return
    if column not in frame:
        raise UserError("There is no such column.", where=where, expected=", ".join(map(str, frame.columns)))
    if known.takes != "any" and known.takes not in roles(frame[column]):
        raise UserError(
            f"The kind `{kind}` does not fit the column.",
            where=where,
            found=", ".join(sorted(roles(frame[column]))) or "neither numbers, texts nor dates",
            expected=known.takes,
            fix="choose another column or another kind",
        )


def roles(column: pd.Series) -> set[str]:
    """Say what a column can be taken for: `number`, `text`, `date`, `moment`."""
    if pd.api.types.is_bool_dtype(column):
        return set()
    if pd.api.types.is_numeric_dtype(column):
        return {"number"}
    found = set()
    filled = column.dropna()
    if not pd.api.types.is_datetime64_any_dtype(column) and all(isinstance(value, str) for value in filled):
        found.add("text")
    days = as_days(filled.head(planting.LOOKED_AT))
    if len(days) and np.isfinite(days).all():
        found.add("date")
        if (days % 1 != 0).mean() > WITH_TIMES:
            found.add("moment")
    return found
