"""Which part every column plays for the models, and the one form in which they take their inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

MISSING = "(missing)"

# Every category that is rare, or that the data have never shown.
OTHER = "(other)"

# Dates enter the models as days since this day.
EPOCH = pd.Timestamp("2000-01-01", tz="UTC")

LARGEST = float(np.finfo(np.float32).max)

RAREST_CATEGORY = 20

MOST_CATEGORIES = 30

Kind = Literal["number", "date", "category"]


@dataclass(frozen=True)
class Columns:
    """Which columns the models see, and why they do not see the others.

    Attributes
    ----------
    kinds
        Column -> `number`, `date` or `category`, in the order in which the models get them.
    levels
        Category -> the values that are told apart; all others are `(other)`.
    left_out
        Column -> reason in words.
    """

    kinds: Mapping[str, Kind]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind != "category"]

    @property
    def categories(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind == "category"]


def roles(raw: pd.DataFrame, identifiers: Collection[str | None] = ()) -> Columns:
    """Decide which part each column plays, from its values alone and without looking at the outcome.

    Parameters
    ----------
    raw
        The table with the user's features, without the target.
    identifiers
        Columns that name a case rather than describe it.

    Returns
    -------
    Columns
    """
    kinds: dict[str, Kind] = {}
    left_out: dict[str, str] = {}
    for name in raw.columns:
        kind, reason = (None, "it names the case") if name in identifiers else _role(raw[name])
        if kind:
            kinds[name] = kind
        else:
            left_out[name] = reason
    levels = {name: _levels(raw[name]) for name, kind in kinds.items() if kind == "category"}
    return Columns(kinds, levels, left_out)


def _role(column: pd.Series) -> tuple[Kind | None, str]:
    values = column.dropna()
    different = values.map(str).nunique() if column.dtype == object else values.nunique()
    if values.empty:
        return None, "it is empty"
    if different == 1 and not column.isna().any():
        return None, "it has the same value everywhere"
    if pd.api.types.is_datetime64_any_dtype(column) or _holds_dates(values):
        return "date", ""
    if _holds_booleans(values) or pd.api.types.is_timedelta64_dtype(column):
        return "number", ""
    if _is_numeric(values):
        return (None, "it counts the rows") if _counts_rows(column) else ("number", "")
    if different > max(50, len(values) / 2):
        return None, "almost every value is different: a name, an identifier or free text"
    if different > 50 and values.map(str).str.split().str.len().mean() > 4:
        return None, "free text"
    return "category", ""


def _holds_booleans(values: pd.Series) -> bool:
    # nullable booleans arrive from databases as objects
    return pd.api.types.is_bool_dtype(values) or {type(value) for value in values} <= {bool, np.bool_}


def _counts_rows(column: pd.Series) -> bool:
    """Recognise a row number that an export left behind: every step the same, and never empty."""
    if len(column) <= 20 or column.isna().any():
        return False
    steps = np.diff(pd.to_numeric(column).to_numpy(dtype=float))
    return bool(steps[0] != 0 and (steps == steps[0]).all())


def _is_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return True
    # Databases hand decimals over as objects.
    return values.dtype == object and not values.map(type).isin([str, bytes]).any() and _all_parse(values)


def _all_parse(values: pd.Series) -> bool:
    return bool(pd.to_numeric(values, errors="coerce").notna().all())


def _holds_dates(values: pd.Series) -> bool:
    """Recognise dates kept as text (SQLite has no others) or as date objects: ISO 8601 only, others are ambiguous."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    text = values.head(1000).map(str)
    if not text.str.match(r"^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}.*)?)?$").all():
        return False
    return bool(pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True).notna().all())


def _levels(column: pd.Series) -> tuple[str, ...]:
    """List the values frequent enough to learn from.

    Done here and not inside the pipelines: the ONNX converter cannot group rare categories.
    """
    counts = column.dropna().map(label).value_counts()
    return tuple(sorted(counts[counts >= min(RAREST_CATEGORY, counts.max())].index[:MOST_CATEGORIES]))


def label(value: Any) -> str:
    """Write a class the same way wherever it comes from: YAML, CSV and databases differ over True, 1 and 1.0."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | float | np.number) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def prepare(raw: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Bring a table into the form that models, their export and the service all take.

    Parameters
    ----------
    raw
        Any rows with the columns; one that is missing is treated as empty.
    columns
        What `roles` decided on the data the model learns from.

    Returns
    -------
    pandas.DataFrame
        Numbers and dates (days since 2000-01-01) rounded to float32, NaN for missing or unreadable values; categories
        as text, with `(missing)` and `(other)` among them. The same index as `raw`.
    """
    prepared: dict[str, pd.Series] = {}
    for name, kind in columns.kinds.items():
        column = raw[name] if name in raw else pd.Series(np.nan, index=raw.index, dtype=object)
        if kind == "category":
            known = set(columns.levels[name])
            text = column.map(label, na_action="ignore").astype(object)
            prepared[name] = text.where(text.isin(known), OTHER).where(column.notna(), MISSING)
            continue
        finite = _numbers(column, kind).astype("float64").replace([np.inf, -np.inf], np.nan)
        # Rounded to what the exported model takes, kept as float64 so that scikit-learn computes in full precision.
        prepared[name] = finite.clip(-LARGEST, LARGEST).astype("float32").astype("float64")
    return pd.DataFrame(prepared, index=raw.index)


def _numbers(column: pd.Series, kind: Kind) -> pd.Series:
    if kind == "date":
        moments = pd.to_datetime(column.map(str, na_action="ignore"), errors="coerce", format="ISO8601", utc=True)
        return (moments - EPOCH).dt.total_seconds() / 86_400
    if pd.api.types.is_timedelta64_dtype(column):
        return pd.to_timedelta(column).dt.total_seconds() / 86_400
    return pd.to_numeric(column, errors="coerce")


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Make every object column text: a spreadsheet mixes numbers and words freely, an engine or a file does not."""
    mixed = {name: frame[name].map(str, na_action="ignore") for name in frame.columns if frame[name].dtype == object}
    return frame.assign(**{str(name): column for name, column in mixed.items()}).rename(columns=str)
