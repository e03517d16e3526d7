"""Does an input keep the contract? Checked by hand, column by column, the same way for one case and for millions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.data.encoding import moment
from lab2live.reporting.formatting import short

if TYPE_CHECKING:
    import pandas as pd

# Beyond this no measurement lies, and arithmetic breaks.
LARGEST = 1e15
LONGEST_TEXT = 200
EARLIEST, LATEST = 1800, 2199  # years

A_NUMBER = "A number is needed."
A_BOOLEAN = "True or false is needed."
A_TEXT = "A text of at most {:,} letters is needed."
A_DATE = "A date is needed, written as 2026-12-31."
LONGEST = 10_000
A_VALUE = f"A number, true or false, or a text of at most {LONGEST:,} letters is needed."
NO_SUCH_FIELD = "There is no such field."
KNOWN = "This has to be known: it always was in what was learnt from."


def check(
    fields: Sequence[Mapping[str, Any]], rows: Mapping[str, Any], count: int
) -> tuple[dict[str, np.ndarray], list[tuple[int, str, str]]]:
    """Read the columns of a form from some rows.

    Parameters
    ----------
    fields
        Of the form, see `form.describe`. Those that are derived are not read.
    rows
        What came in, by column: lists of what JSON holds, or arrays. Columns that are no field are not looked at;
        those that lack are not known.
    count
        How many rows there are.

    Returns
    -------
    read, problems
        Numbers as floats, categories as text, dates as `datetime64`, and missing (NaN, None, NaT) for what is not known
        or wrong; and row, field and message of each problem. A message never repeats what was sent: it may be personal.
    """
    read: dict[str, np.ndarray] = {}
    problems: list[tuple[int, str, str]] = []
    for field in fields:
        if "derived" in field:
            continue
        name = field["name"]
        read_as = _booleans if field.get("boolean") else _READ[field["kind"]]
        values, wrong = read_as(rows.get(name, [None] * count), field)
        if not field["optional"]:
            missing = no_value(values)
            wrong = [KNOWN if unknown and not text else text for unknown, text in zip(missing, wrong, strict=True)]
        problems += [(row, name, text) for row, text in enumerate(wrong) if text]
        read[name] = values
    return read, sorted(problems, key=lambda problem: problem[0])


def strangers(given: Iterable[str], known: Collection[str]) -> list[tuple[str, str]]:
    """Name the fields that nobody asks for, with a message: as far as they can be written."""
    return [(name[:LONGEST_TEXT] if is_text(name) else "", NO_SUCH_FIELD) for name in given if name not in known]


def arrays(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give the columns of a table as `check` takes them; moments with a zone in UTC."""
    from pandas.api import types

    found = {}
    for name, column in frame.items():
        if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
            found[str(name)] = column.to_numpy(dtype=float, na_value=np.nan)
        elif types.is_datetime64_any_dtype(column):
            plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz else column
            found[str(name)] = plain.to_numpy().astype("datetime64[us]")
        else:
            found[str(name)] = column.to_numpy(dtype=object)
    return found


def no_value(values: np.ndarray) -> np.ndarray:
    """Say which of the values that `check` read are missing."""
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    return np.asarray(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))


def _numbers(column: Any, field: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        values = column.astype(float)
        good = np.isnan(values) | (np.abs(values) <= LARGEST)
    else:
        fits = [is_number(value) for value in column]
        values = np.array([float(value) if fit else np.nan for value, fit in zip(column, fits, strict=True)])
        good = np.array([fit or value is None for value, fit in zip(column, fits, strict=True)], dtype=bool)
    values = np.where(good, values, np.nan)
    least, most = field.get("least", -np.inf), field.get("most", np.inf)
    with np.errstate(invalid="ignore"):
        beyond = (values < least) | (values > most)
    wrong = [""] * len(values)
    for row in np.flatnonzero(~good):
        wrong[row] = A_NUMBER
    for row in np.flatnonzero(beyond):
        ends = [f"not below {short(least)}"] if np.isfinite(least) else []
        ends += [f"not above {short(most)}"] if np.isfinite(most) else []
        wrong[row] = f"This cannot be: {' and '.join(ends)}."
    return np.where(beyond, np.nan, values), wrong


def _booleans(column: Any, _: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    found, wrong = np.full(len(column), None, dtype=object), [""] * len(column)
    for row, value in enumerate(column):
        if not isinstance(value, str | list | dict) and value in (0, 1):
            found[row] = bool(value)
        elif not _is_nothing(value):
            wrong[row] = A_BOOLEAN
    return found, wrong


def _is_nothing(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value is None
    try:
        return bool(value != value)  # a missing value of a table is not equal to itself
    except TypeError:  # or (pandas.NA) cannot be asked
        return True


def is_number(value: Any) -> bool:
    """Say whether something is a number that a measurement could be."""
    # compared before anything else: a whole number of four hundred digits fits no float; NaN is below nothing
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and abs(float(value) if isinstance(value, np.generic) else value) <= LARGEST
    )


def _texts(column: Any, field: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    found, wrong = np.full(len(column), None, dtype=object), [""] * len(column)
    longest = field.get("longest", LONGEST_TEXT)
    for row, value in enumerate(column):
        if isinstance(value, str) and len(value) <= longest and is_text(value):
            found[row] = value or None
        elif not _is_nothing(value):
            wrong[row] = A_TEXT.format(longest)
    return found, wrong


def is_value(value: Any) -> bool:
    """Say whether something that the contract says nothing more about is a single value, and not too large."""
    return value is None or (len(value) <= LONGEST if isinstance(value, str) else isinstance(value, int | float))


def is_text(value: str) -> bool:
    """Say whether it can be written: JSON may hold halves of letters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dates(column: Any, _: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        moments = column.astype("datetime64[us]")
        years = moments.astype("datetime64[Y]").astype(int) + 1970
        good = np.isnat(moments) | ((years >= EARLIEST) & (years <= LATEST))
        return np.where(good, moments, np.datetime64("NaT")), ["" if fine else A_DATE for fine in good]
    found, wrong = np.full(len(column), np.datetime64("NaT"), dtype="datetime64[us]"), [""] * len(column)
    for row, value in enumerate(column):
        if _is_nothing(value):
            continue
        read = moment(str(value)) if isinstance(value, str | dt.date) else None
        if read is None or not EARLIEST <= read.year <= LATEST:
            wrong[row] = A_DATE
        else:
            found[row] = np.datetime64(read.astimezone(dt.UTC).replace(tzinfo=None), "us")
    return found, wrong


_READ: dict[str, Callable[[Any, Mapping[str, Any]], tuple[np.ndarray, list[str]]]] = {
    "number": _numbers,
    "category": _texts,
    "date": _dates,
}
