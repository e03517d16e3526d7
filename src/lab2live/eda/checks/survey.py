"""What is known of a source before any check: exact counts from the engine that holds it, and a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.data.feature_types import as_days, as_numbers
from lab2live.data.sources.errors import in_words
from lab2live.data.sources.tables import Reading, read
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.facts import Facts, facts_of
from lab2live.eda.checks.findings import ANY_PART, Finding, finding
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Below this many rows the sample is the whole source.
SAMPLE_ROWS = 100_000
SAMPLE_CELLS = 3_000_000
# More columns than these are junk from an export that went wrong; they are counted, not checked.
MOST_COLUMNS = 500
# A text column holds numbers or dates when at least this share of its values can be read as such.
MOSTLY = 0.8
LOOKED_AT = 1000
ISO_OR_DOTTED = r"^\s*(?:\d{4}-\d{2}(?:-\d{2}(?:[T ]\d{2}:\d{2}.*)?)?|\d{1,2}\.\d{1,2}\.\d{4})\s*$"


@dataclass(frozen=True, eq=False)
class Survey:
    """One readable source, ready to be checked.

    Attributes
    ----------
    source, table, rows
        See `Reading`.
    facts
        Exact, per column: use these where a count over all rows is meant.
    sample
        At most `SAMPLE_ROWS` rows in the order of the source, typed as the engine types them.
    written
        Rows of `texts`, not the same rows as `sample` unless `complete`; `None` where nothing is read from texts.
    numbers
        Columns of the sample that hold numbers, shape (rows of sample,), NaN where there is none; also texts most of
        which can be read as numbers.
    days
        Columns of the sample that hold dates, as days since 2000-01-01; also texts most of which are dates.
    texts
        Text columns of the sample that are neither: `str` or NaN.
    identifiers
        Columns that name something: keys of the charter, and texts hardly any of which repeat.
    earlier
        The earlier extract that the charter names, or `None`.
    no_earlier
        Why there is none, in words.
    """

    source: Source
    table: ir.Table
    rows: int
    facts: Mapping[str, Facts]
    sample: pd.DataFrame
    written: pd.DataFrame | None
    numbers: Mapping[str, np.ndarray]
    days: Mapping[str, np.ndarray]
    texts: Mapping[str, pd.Series]
    identifiers: frozenset[str]
    earlier: Survey | None = None
    no_earlier: str = ""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def complete(self) -> bool:
        """Whether the sample is the whole source."""
        return len(self.sample) == self.rows

    @property
    def basis(self) -> str:
        """What numbers from the sample are said to be of; empty when it is everything."""
        return "" if self.complete else f" (in a sample of {len(self.sample):,} of {amount(self.rows, 'row')})"

    @property
    def key(self) -> str | None:
        """The source's key, if it has one that is really there."""
        return self.source.key if self.source.key in self.facts else None

    def as_written(self, column: str) -> pd.Series | None:
        """Give the texts of a column as they stand in the source; `None` for what is no text there."""
        if self.written is not None and column in self.written:
            return self.written[column]
        return self.sample[column] if column in self.sample and self.facts[column].kind == "text" else None

    def keys_of(self, mask: np.ndarray) -> list[str]:
        """Name the first sampled rows in a mask by their key, for examples."""
        return [] if self.key is None else [str(value) for value in self.sample.loc[mask, self.key].head(3)]


def in_part(
    check: str,
    survey: Survey,
    column: str,
    share: float,
    rows: int,
    what: str,
    shown: Iterable[Any],
    witness: Witness | None = None,
) -> Finding:
    """Word what part of a column is of another form: `what` follows the column's name."""
    what = f"{column} of {survey.name} {what}{survey.basis}."
    return finding(
        check, survey.name, column, ANY_PART.severity(share), share, ANY_PART.warn, what, rows, shown, witness
    )


def survey(charter: Charter, reading: Reading, seed: int = 0) -> Survey:
    """Measure one source that could be read, and the earlier extract that the charter names.

    Parameters
    ----------
    charter
        Says which columns are keys.
    reading
        Its table must not be `None`.
    seed
        Of the sample, where the engine can draw with one.

    Returns
    -------
    Survey
    """
    earlier, reason = _earlier(charter, reading.source, seed)
    return _survey(charter, reading, seed, earlier, reason)


def _earlier(charter: Charter, source: Source, seed: int) -> tuple[Survey | None, str]:
    if source.snapshot is None:
        return None, f"The charter names no snapshot of {source.name} to compare with."
    if source.on_stand_in:
        return None, f"{source.name} is on a stand-in: its snapshot is of something else."
    there = {"uri": source.snapshot, "stand_in": None, "access": "granted", "snapshot": None}
    earlier = read(charter, source.model_copy(update=there))
    if earlier.table is None:
        return None, f"The snapshot of {source.name} cannot be read: {earlier.problem}"
    return _survey(charter, earlier, seed, None, ""), ""


def _survey(charter: Charter, reading: Reading, seed: int, earlier: Survey | None, reason: str) -> Survey:
    table = reading.table
    assert table is not None
    checked = table.select(*table.columns[:MOST_COLUMNS])
    facts = facts_of(checked, reading.nulls or {})
    sample = draw(checked, reading.rows, seed)
    raw = reading.texts
    written = None if raw is None else draw(raw.select(*raw.columns[:MOST_COLUMNS]), reading.rows, seed)
    if len(sample) == reading.rows:  # then exact is cheap
        facts = {
            name: replace(known, distinct=int(sample[name].nunique())) if known.kind != "other" else known
            for name, known in facts.items()
        }
    numbers, days, texts = {}, {}, {}
    for name, known in facts.items():
        column = sample[name]
        if known.kind == "number":
            numbers[name] = _by_value(column, as_numbers)
        elif known.kind == "date" or (known.kind == "text" and _mostly_dates(column)):
            days[name] = _by_value(column, as_days)
        elif known.kind == "text" and _mostly_numbers(column):
            numbers[name] = _by_value(column, as_numbers)
        elif known.kind == "text":
            texts[name] = column.astype(object)
    named = {*charter.identifiers, reading.source.key, charter.prediction.group_column}
    unique = {
        name
        for name, known in facts.items()
        if known.kind == "text" and name not in days and reading.rows > 20 and known.distinct > 0.9 * reading.rows
    }
    identifiers = frozenset(name for name in facts if name in named or name in unique)
    return Survey(
        reading.source,
        checked,
        reading.rows,
        facts,
        sample,
        written,
        numbers,
        days,
        texts,
        identifiers,
        earlier,
        reason,
    )


def _mostly_dates(column: pd.Series) -> bool:
    values = _some(column)
    return bool(len(values)) and bool(values.str.match(ISO_OR_DOTTED).mean() >= MOSTLY)


def _mostly_numbers(column: pd.Series) -> bool:
    values = _some(column)
    return bool(len(values)) and bool(np.isfinite(as_numbers(values)).mean() >= MOSTLY)


def _some(column: pd.Series) -> pd.Series:
    """Take texts from all over a column: enough to tell what it holds, without reading all of it."""
    values = column.dropna()
    values = values.iloc[:: max(1, len(values) // LOOKED_AT)].astype(str)
    return values[values.str.strip() != ""]


def _by_value(column: pd.Series, read_as: Callable[[pd.Series], np.ndarray]) -> np.ndarray:
    """Read every different value once: texts and dates are read one by one, and most of them repeat."""
    if column.dtype != object:
        return read_as(column)
    codes, values = pd.factorize(column, use_na_sentinel=True)
    return np.append(read_as(pd.Series(values, dtype=object)), np.nan)[codes]


def draw(table: ir.Table, rows: int, seed: int) -> pd.DataFrame:
    """Fetch all rows of a small table, a random sample of a large one, in the order of the source."""
    wanted = max(1, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, len(table.columns))))
    if rows <= wanted:
        return table.to_pandas()
    from ibis.common.exceptions import UnsupportedOperationError

    share = wanted / rows
    try:
        return table.sample(share, method="row", seed=seed).to_pandas()
    except UnsupportedOperationError:  # SQLite draws without a seed
        return table.sample(share, method="row").to_pandas()


def survey_all(charter: Charter, readings: Sequence[Reading], seed: int = 0) -> tuple[list[Survey], list[Reading]]:
    """Measure every source that can be read.

    Returns
    -------
    surveys
        Of the sources whose rows could be read.
    unreadable
        The others, each with its problem: rows may turn out to be broken only when all of them are looked at.
    """
    surveys, unreadable = [], []
    for reading in readings:
        if reading.table is None:
            unreadable.append(reading)
            continue
        try:
            surveys.append(survey(charter, reading, seed))
        except Exception as error:  # whatever an engine or its driver raises belongs to this source alone
            unreadable.append(replace(reading, table=None, problem=in_words(error, reading.source)))
    return surveys, unreadable
