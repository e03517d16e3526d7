"""Which part every column plays for the models, and the one form in which they take their inputs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import numpy as np
import pandas as pd

from lab2live.data.encoding import EPOCH, Columns, Kind, days, label, number, rounded, told_apart
from lab2live.errors import UserError

RAREST_CATEGORY = 20

MOST_CATEGORIES = 30
# Why a column is left out, where others have to know: it numbers or names the rows.
COUNTS_ROWS = "it counts the rows"
NEARLY_UNIQUE = "almost every value is different: a name, an identifier or free text"


def roles(raw: pd.DataFrame, identifiers: Collection[str | None] = ()) -> Columns:
    """Decide on the role of every column, from its values alone and without looking at the target.

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
        kind, reason = (None, "it names the case or its group") if name in identifiers else _role(raw[name])
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
        return (None, COUNTS_ROWS) if _counts_rows(column) else ("number", "")
    if different > max(50, len(values) / 2):
        return None, NEARLY_UNIQUE
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
    steps = np.diff(as_numbers(column))
    return bool(steps[0] != 0 and (steps == steps[0]).all())


def _is_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return not pd.api.types.is_complex_dtype(values)
    # Databases hand decimals over as objects.
    return values.dtype == object and not values.map(type).isin([str, bytes]).any() and _all_parse(values)


def _all_parse(values: pd.Series) -> bool:
    return not np.isnan(as_numbers(values)).any()


def _holds_dates(values: pd.Series) -> bool:
    """Recognise dates kept as text (SQLite has no others) or as date objects, see `encoding.moment`."""
    return not pd.api.types.is_numeric_dtype(values) and not np.isnan(as_days(values.head(1000).map(str))).any()


def _levels(column: pd.Series) -> tuple[str, ...]:
    """List the values frequent enough to learn from.

    Done here and not inside the pipelines: the ONNX converter cannot group rare categories.
    """
    counts = column.dropna().map(label).value_counts()
    return tuple(sorted(counts[counts >= min(RAREST_CATEGORY, counts.max())].index[:MOST_CATEGORIES]))


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
            values = told_apart(list(column), column.isna().to_numpy(), columns.levels[name])
        else:
            values = rounded(as_days(column) if kind == "date" else as_numbers(column))
        prepared[name] = pd.Series(values, index=raw.index)
    return pd.DataFrame(prepared, index=raw.index)


def as_numbers(column: pd.Series) -> np.ndarray:
    """Read a column as numbers, NaN where a value is none. Durations are days, true and false 1 and 0."""
    if pd.api.types.is_timedelta64_dtype(column):
        return _floats(column.dt.total_seconds() / 86_400)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return _floats(column)
    # One by one: a value must mean the same in a table of thousands and in a request with one row.
    return np.array([number(value) for value in column], dtype=float)


def _floats(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=float, na_value=np.nan)


def as_days(column: pd.Series) -> np.ndarray:
    """Count days since 2000-01-01. Years beyond those that fit nanoseconds count too: 9999-12-31 means "open end"."""
    if pd.api.types.is_datetime64_any_dtype(column):
        moments = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
        return _floats((moments.dt.as_unit("us") - pd.Timestamp(EPOCH)).dt.total_seconds() / 86_400)
    return np.array([days(value) for value in column], dtype=float)


def moments(column: pd.Series) -> np.ndarray:
    """Make a column sortable by time: days since 2000-01-01, or its numbers; unknown moments count as the earliest.

    Raises
    ------
    UserError
        If it holds text that is neither: in the alphabet, 7/26/2022 comes after 12/1/2022.
    """
    texts = column.dropna()
    numbers = as_numbers(texts) if pd.api.types.is_numeric_dtype(column) else as_days(texts)
    unread = np.isnan(numbers)
    if unread.any():
        numbers = as_numbers(texts)  # years kept as text, or a database's decimals
    if np.isnan(numbers).any():
        examples = ", ".join(sorted(texts[unread].map(str).unique())[:5])
        raise UserError(
            "The time column holds text that nobody can order by time.",
            where=f"project.yaml, field `prediction.time_column`: {column.name}",
            found=f"{examples} ({int(unread.sum()):,} of {len(texts):,} values)",
            expected="dates such as 2026-08-31 or 31.08.2026, or numbers",
            fix="write dates in one of these forms, name another column, or leave time_column empty",
        )
    found = np.full(len(column), -np.inf)
    found[column.notna().to_numpy()] = numbers
    return found


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Make every column one that an engine or a file can hold: a spreadsheet mixes numbers and words freely.

    Columns of one plain type stay as they are. The others become text the way `label` writes it, so that a value means
    the same to the models before and after.
    """
    kept = {str(name): frame[name] if _is_plain(frame[name]) else _as_text(frame[name]) for name in frame.columns}
    return pd.DataFrame(kept, index=frame.index)


def _is_plain(column: pd.Series) -> bool:
    if column.dtype != object:
        return not pd.api.types.is_complex_dtype(column)
    import pyarrow as pa

    kinds = {
        "string",
        "boolean",
        "integer",
        "floating",
        "mixed-integer-float",
        "decimal",
        "date",
        "datetime",
        "datetime64",
        "timedelta",
        "empty",
    }
    kind = pd.api.types.infer_dtype(column, skipna=True)
    # "date" is also said of days among moments, whose time of day would be lost
    if kind not in kinds or (kind == "date" and column.map(lambda value: isinstance(value, dt.datetime)).any()):
        return False
    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # e.g. whole numbers beyond 64 bits
        return False
    return True


def _as_text(column: pd.Series) -> pd.Series:
    text = column.map(lambda value: value if isinstance(value, str) else label(value), na_action="ignore")
    kept = text.astype(object)
    kept[column.isna()] = None  # a NaN may be of a type that text cannot stand beside
    return kept
