"""Does an input keep the contract? Checked by hand, column by column, the same way for one case and for millions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab2live.words import short

# Beyond this no measurement lies, and arithmetic breaks.
LARGEST = 1e15
LONGEST_TEXT = 200
EARLIEST, LATEST = dt.date(1800, 1, 1), dt.date(2200, 1, 1)

A_NUMBER = "A number is needed."
A_TEXT = f"A text of at most {LONGEST_TEXT} letters is needed."
A_DATE = "A date is needed, written as 2026-12-31."
KNOWN = "This has to be known: it always was in what was learnt from."


def check(fields: Sequence[Mapping[str, Any]], rows: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    """Read the columns of a form from some rows.

    Parameters
    ----------
    fields
        Of the form, see `form.describe`. Those that are derived are not read.
    rows
        What came in. Columns that are no field are not looked at; those that lack are not known.

    Returns
    -------
    read, problems
        Numbers as floats, categories as text, dates as `datetime64`, and missing for what is not known or wrong;
        and row, field and message of each problem. A message never repeats what was sent: it may be personal.
    """
    read: dict[str, Any] = {}
    problems: list[tuple[int, str, str]] = []
    for field in fields:
        if "derived" in field:
            continue
        name = field["name"]
        column = rows[name] if name in rows else pd.Series([None] * len(rows), index=rows.index, dtype=object)
        values, wrong = _READ[field["kind"]](column, field)
        missing = pd.isna(values) & np.array([not text for text in wrong], dtype=bool)
        if not field["optional"]:
            wrong = [KNOWN if unknown else text for unknown, text in zip(missing, wrong, strict=True)]
        problems += [(row, name, text) for row, text in enumerate(wrong) if text]
        read[name] = values
    return pd.DataFrame(read, index=rows.index), sorted(problems, key=lambda problem: problem[0])


def _numbers(column: pd.Series, field: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        good = np.isnan(values) | (np.abs(values) <= LARGEST)
    else:
        known = [value is not None and value != "" for value in column]
        fits = [_is_number(value) for value in column]
        values = np.array([float(value) if fit else np.nan for value, fit in zip(column, fits, strict=True)])
        good = np.array(fits, dtype=bool) | ~np.array(known, dtype=bool)
    values = np.where(good, values, np.nan)
    least, most = field.get("least", -np.inf), field.get("most", np.inf)
    with np.errstate(invalid="ignore"):
        beyond = (values < least) | (values > most)
    ends = [f"not below {short(least)}"] * bool(np.isfinite(least)) + [f"not above {short(most)}"] * bool(
        np.isfinite(most)
    )
    cannot_be = f"This cannot be: {' and '.join(ends)}."
    wrong = [A_NUMBER if not fine else cannot_be if out else "" for fine, out in zip(good, beyond, strict=True)]
    return np.where(beyond, np.nan, values), wrong


def _is_number(value: Any) -> bool:
    # compared before anything else: a whole number of four hundred digits fits no float; NaN is below nothing
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and abs(float(value) if isinstance(value, np.generic) else value) <= LARGEST
    )


def _texts(column: pd.Series, _: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    found, wrong = [], []
    for value in column:
        unknown = value is None or value is pd.NA or value != value or value == ""
        fits = isinstance(value, str) and len(value) <= LONGEST_TEXT and is_text(value)
        found.append(value if fits and not unknown else None)
        wrong.append("" if unknown or fits else A_TEXT)
    return np.array(found, dtype=object), wrong


def is_text(value: str) -> bool:
    """Say whether it can be written: JSON may hold halves of letters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dates(column: pd.Series, _: Mapping[str, Any]) -> tuple[np.ndarray, list[str]]:
    if pd.api.types.is_datetime64_any_dtype(column):
        plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz else column
        moments = plain.astype("datetime64[us]").to_numpy()
        good = np.isnat(moments) | ((moments >= np.datetime64(EARLIEST)) & (moments <= np.datetime64(LATEST)))
        return np.where(good, moments, np.datetime64("NaT")), ["" if fine else A_DATE for fine in good]
    found: list[np.datetime64] = []
    wrong = []
    for value in column:
        if value is None or value == "" or value is pd.NaT:
            found.append(np.datetime64("NaT"))
            wrong.append("")
            continue
        moment = _moment(value)
        found.append(np.datetime64("NaT") if moment is None else np.datetime64(moment.replace(tzinfo=None), "us"))
        wrong.append(A_DATE if moment is None else "")
    return np.array(found, dtype="datetime64[us]"), wrong


def _moment(value: Any) -> dt.datetime | None:
    try:
        moment = (
            value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value) if _is_day(value) else None
        )
    except ValueError:
        return None
    return moment if moment is not None and EARLIEST <= moment.date() <= LATEST else None


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and 10 <= len(value) <= 32 and value[4] == "-"


_READ: dict[str, Callable[[pd.Series, Mapping[str, Any]], tuple[np.ndarray, list[str]]]] = {
    "number": _numbers,
    "category": _texts,
    "date": _dates,
}
