"""What the models take: the columns they see, and what a single value of one means to them.

Without pandas: a service that answers from a bundle needs none.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

MISSING = "(missing)"

# Every category that is rare, or that the data have never shown.
OTHER = "(other)"

# Dates enter the models as days since this day.
EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
MOMENT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}(-[0-9]{{2}}({_CLOCK})?)?|[0-9]{{1,2}}[.][0-9]{{1,2}}[.][0-9]{{4}}")

LARGEST = float(np.finfo(np.float32).max)

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

    def without(self, column: str | None) -> Columns:
        """Give all columns but one."""
        kinds = {name: kind for name, kind in self.kinds.items() if name != column}
        return replace(self, kinds=kinds, levels={name: self.levels[name] for name in self.levels if name in kinds})


def label(value: Any) -> str:
    """Write a class the same way wherever it comes from: YAML, CSV and databases differ over True, 1 and 1.0."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def number(value: Any) -> float:
    """Read one value as a number, NaN where it is none. Durations are days, true and false 1 and 0."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds() / 86_400
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        # Python reads 1_000 as a number; data that hold it mean something else. Files write booleans as words.
        value = {"true": 1, "false": 0}.get(value.strip().lower(), "" if "_" in value else value)
    try:
        return float("nan") if isinstance(value, complex | np.complexfloating) else float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def moment(text: str) -> dt.datetime | None:
    """Read a moment as it is read everywhere, `None` where it is none; what names no zone is UTC.

    A day, a moment or a month of ISO 8601, or 31.12.2024: dots mean day, month, year wherever they are used. Slashes
    are ambiguous, and stay text.
    """
    if not MOMENT.fullmatch(text):
        return None
    if "-" not in text:
        text = "-".join(part.zfill(2) for part in reversed(text.split(".")))
    try:
        found = dt.datetime.fromisoformat(f"{text}-01" if len(text) == len("2000-01") else text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def days(value: Any) -> float:
    """Count the days since 2000-01-01 of one value, NaN where it is no date."""
    found = moment(str(value).strip())
    return float("nan") if found is None else (found - EPOCH).total_seconds() / 86_400


def day(days: float) -> str:
    """Write the day that models take as a number of days since 2000-01-01; empty for none."""
    if np.isnan(days):
        return ""
    ordinal = EPOCH.toordinal() + int(np.floor(days))
    return dt.date.fromordinal(min(max(ordinal, 1), dt.date.max.toordinal())).isoformat()


def rounded(numbers: np.ndarray) -> np.ndarray:
    """Round numbers to what an exported model takes; what is not finite is missing.

    They stay float64, so that scikit-learn computes in full precision.
    """
    finite = np.where(np.isfinite(numbers), numbers, np.nan).clip(-LARGEST, LARGEST)
    return np.asarray(finite.astype(np.float32).astype(np.float64))


def told_apart(values: Sequence[Any], missing: np.ndarray, levels: Collection[str]) -> np.ndarray:
    """Write categories as models take them, shape (rows,): `(missing)`, a level, or `(other)`."""
    known = set(levels)
    texts = [MISSING if none else label(value) for value, none in zip(values, missing, strict=True)]
    return np.array(
        [text if none or text in known else OTHER for text, none in zip(texts, missing, strict=True)], object
    )
