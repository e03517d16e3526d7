"""How each fault gets into a table: one plain function a kind, see `faults.KINDS` for what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data.feature_types import as_days, as_numbers
from lab2live.errors import UserError

NUMBER = -999
DATE = pd.Timestamp("1900-01-01")
TOKEN = "N/A"
BLANKS = "  "
WORDS = ("see file", "ask branch", "twelve", "to be checked")
# A text column is a column of dates when all its values read as such: ISO 8601 or 31.12.2024.
LOOKED_AT = 200
# Further arguments that name a column of the same source.
OF_THE_SOURCE = frozenset({"other", "date_column", "time_column"})


@dataclass
class Plot:
    """The table a fault is planted in, and what came of it.

    Attributes
    ----------
    frames
        All tables; those that are changed have been copied.
    source, column
        Where to plant.
    share
        Share of rows to touch.
    random
        Draws everything.
    more
        What some kinds take beyond that, by name.
    rows
        Positions touched, in the table as it is left; empty for rows that were taken away.
    lost
        Number of rows taken away.
    places
        Pairs (source, column) that are right to name; a column of `None` stands for any.
    """

    frames: dict[str, pd.DataFrame]
    source: str
    column: str
    share: float
    random: np.random.Generator
    more: Mapping[str, Any]
    rows: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))
    lost: int = 0
    places: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        return self.frames[self.source]

    @property
    def values(self) -> pd.Series:
        return self.frame[self.column]

    def pick(self, among: np.ndarray | None = None, of: int | None = None) -> np.ndarray:
        """Draw the share of all rows from those allowed; by default from those where the column is filled."""
        allowed = np.flatnonzero(self.values.notna() if among is None else among)
        if not len(allowed):
            raise self.misfit("no row in which it could be planted")
        wanted = max(1, round(self.share * (of or len(self.frame))))
        return np.sort(self.random.choice(allowed, min(wanted, len(allowed)), replace=False))

    def write(self, rows: np.ndarray, values: Any) -> None:
        """Put values into the column, and remember the rows."""
        kept = self.values.astype(object).to_numpy(copy=True)
        kept[rows] = values
        self.frame[self.column] = pd.Series(kept, index=self.frame.index).infer_objects()
        self.rows = rows

    def keep(self, mask: np.ndarray) -> None:
        """Take rows away."""
        if not mask.any():
            raise self.misfit("no row would be left")
        self.lost = int((~mask).sum())
        self.frames[self.source] = self.frame[mask].reset_index(drop=True)

    def append(self, rows: pd.DataFrame) -> None:
        """Add rows at the end."""
        before = len(self.frame)
        self.frames[self.source] = pd.concat([self.frame, rows.astype(self.frame.dtypes)], ignore_index=True)
        self.rows = np.arange(before, before + len(rows))

    def last(self) -> np.ndarray:
        """Give the share of rows that a date column puts last."""
        days = as_days(self.values)
        order = np.argsort(np.where(np.isnan(days), -np.inf, days), kind="stable")
        return np.sort(order[len(order) - max(1, round(self.share * len(order))) :])

    def named(self, name: str, what: str) -> Any:
        """Give one of the further arguments that a kind cannot do without."""
        if name not in self.more:
            raise self.misfit(f"it needs `{name}`, {what}")
        if name in OF_THE_SOURCE and self.more[name] not in self.frame:
            raise self.misfit(f"the source has no column {self.more[name]}, {what}")
        return self.more[name]

    def misfit(self, found: str) -> UserError:
        return UserError(
            "This kind of fault does not fit this column.",
            where=f"source `{self.source}`, column `{self.column}`",
            found=found,
            fix="choose another column or another kind",
        )


def moments(column: pd.Series) -> pd.Series:
    """Read dates and times, stored as such or as text."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    return pd.to_datetime(pd.Series(as_days(column), index=column.index), unit="D", origin="2000-01-01").dt.round("s")


def like(column: pd.Series, changed: pd.Series) -> pd.Series:
    """Write dates the way the column writes them."""
    texts = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(column) or not len(texts) or not isinstance(texts.iloc[0], str):
        return changed
    if "." in texts.iloc[0][:3]:
        return changed.dt.strftime("%d.%m.%Y")
    return changed.dt.strftime("%Y-%m-%d" if len(texts.iloc[0]) <= len("2024-12-31") else "%Y-%m-%d %H:%M:%S")


def nulls(plot: Plot) -> None:
    plot.write(plot.pick(), np.nan if pd.api.types.is_numeric_dtype(plot.values) else None)


def number(plot: Plot) -> None:
    plot.write(plot.pick(), plot.more.get("value", NUMBER))


def date(plot: Plot) -> None:
    rows = plot.pick()
    changed = moments(plot.values).copy()
    changed.iloc[rows] = pd.Timestamp(plot.more.get("value", DATE))
    plot.write(rows, like(plot.values, changed).iloc[rows].to_numpy(dtype=object))


def token(plot: Plot) -> None:
    plot.write(plot.pick(), plot.more.get("value", TOKEN))


def blanks(plot: Plot) -> None:
    plot.write(plot.pick(), BLANKS)


def _times(plot: Plot, rows: np.ndarray, factor: float) -> None:
    values = as_numbers(plot.values)[rows] * factor
    whole = pd.api.types.is_integer_dtype(plot.values)
    plot.write(rows, np.round(values).astype(np.int64) if whole else np.round(values, 2))


def outliers(plot: Plot) -> None:
    _times(plot, plot.pick(as_numbers(plot.values) > 0), plot.more.get("factor", 50))


def hundred(plot: Plot) -> None:
    _times(plot, plot.pick(as_numbers(plot.values) > 0), plot.more.get("factor", 100))


def shuffled(plot: Plot) -> None:
    rows = plot.pick()
    plot.write(rows, plot.values.iloc[plot.random.permutation(rows)].to_numpy(dtype=object))
    plot.places += [(plot.source, other) for other in plot.more.get("partners", ())]


def shift(plot: Plot) -> None:
    when = plot.named("date_column", "the dates that say what came later")
    days = as_days(plot.frame[when])
    later = days >= np.nanquantile(days, 1 - plot.share)
    _times(plot, np.flatnonzero(later & plot.values.notna().to_numpy()), plot.more.get("factor", 1.8))


def constant(plot: Plot) -> None:
    rows = np.arange(len(plot.frame)) if plot.share >= 1 else plot.pick(np.ones(len(plot.frame), dtype=bool))
    plot.write(rows, plot.values.mode().iloc[0])


def negative(plot: Plot) -> None:
    _times(plot, plot.pick(as_numbers(plot.values) > 0), -1)


def conflict(plot: Plot) -> None:
    key = plot.named("key", "what the sources share")
    keys = plot.frame[key].drop_duplicates()
    chosen = plot.random.choice(keys, max(1, round(plot.share * len(keys))), replace=False)
    rows = np.flatnonzero(plot.frame[key].isin(chosen) & plot.values.notna())
    levels = plot.values.dropna().unique()
    if len(levels) < 2:
        raise plot.misfit("fewer than two different values")
    other = {key: plot.random.permutation(levels)[:2] for key in chosen}
    new = [next(v for v in other[k] if v != was) for k, was in plot.frame[[key, plot.column]].iloc[rows].to_numpy()]
    plot.write(rows, new)
    shared = [name for name, frame in plot.frames.items() if {key, plot.column} <= set(frame)]
    plot.places += [(name, plot.column) for name in shared if name != plot.source]


def _swapped_letters(text: str) -> str:
    return text[:1] + text[2:3] + text[1:2] + text[3:] if len(text) > 3 else text + text[-1:]


def spelling(plot: Plot) -> None:
    rows = plot.pick()
    ways: Sequence[Any] = (str.upper, str.lower, lambda text: f"{text} ", lambda text: f" {text}", _swapped_letters)
    chosen = plot.random.choice(len(ways), 2, replace=False)
    texts = [str(value) for value in plot.values.iloc[rows]]
    changed = [ways[chosen[number % 2]](text) for number, text in enumerate(texts)]
    # a word that the chosen way leaves as it is still has to be another one
    plot.write(rows, [new if new != was else f"{was} " for was, new in zip(texts, changed, strict=True)])


def mojibake(plot: Plot) -> None:
    rows = plot.pick(np.array([isinstance(value, str) and not value.isascii() for value in plot.values]))
    plot.write(rows, [value.encode("utf-8").decode("cp1252", "replace") for value in plot.values.iloc[rows]])


def swapped_dates(plot: Plot) -> None:
    when = moments(plot.values)
    rows = plot.pick((when.dt.day <= 12).to_numpy() & (when.dt.day != when.dt.month).to_numpy())
    swapped = [moment.replace(month=moment.day, day=moment.month) for moment in when.iloc[rows]]
    changed = when.copy()
    changed.iloc[rows] = swapped
    plot.write(rows, like(plot.values, changed).iloc[rows].to_numpy(dtype=object))


def swapped_texts(plot: Plot) -> None:
    written = plot.values.astype("string").str.extract(r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4})$")
    rows = plot.pick(written[0].notna().to_numpy())
    parts = written.iloc[rows]
    plot.write(rows, (parts[2] + parts[1] + parts[0] + parts[1] + parts[3]).to_numpy(dtype=object))


def timezone(plot: Plot) -> None:
    when = moments(plot.values)
    rows = plot.pick()
    changed = when.copy()
    changed.iloc[rows] += pd.Timedelta(hours=plot.more.get("hours", 6))
    plot.write(rows, like(plot.values, changed).iloc[rows].to_numpy(dtype=object))
    plot.places += [tuple(place) for place in plot.more.get("partners", ())]


def commas(plot: Plot) -> None:
    texts = np.array([repr(float(value)) for value in as_numbers(plot.values)], dtype=object)
    rows = plot.pick(plot.values.notna().to_numpy() & ~np.char.endswith(texts.astype(str), ".0"))
    plot.write(rows, [text.replace(".", ",") for text in texts[rows]])


def zeros(plot: Plot) -> None:
    rows = plot.pick(plot.values.astype("string").str.match(r"^0+[1-9]").fillna(False).to_numpy(dtype=bool))
    plot.write(rows, [value.lstrip("0") for value in plot.values.iloc[rows]])


def words(plot: Plot) -> None:
    rows = plot.pick()
    plot.write(rows, plot.random.choice(plot.more.get("words", WORDS), len(rows)))


def renamed(plot: Plot) -> None:
    new = plot.more.get("new", f"{plot.column}_new")
    plot.frames[plot.source] = plot.frame.rename(columns={plot.column: new})
    plot.rows = np.arange(len(plot.frame))
    plot.places.append((plot.source, new))


def dropped(plot: Plot) -> None:
    plot.frames[plot.source] = plot.frame.drop(columns=plot.column)
    plot.rows = np.arange(len(plot.frame))


def misaligned(plot: Plot) -> None:
    start = round((1 - plot.share) * len(plot.frame))
    rows = np.arange(max(1, start), len(plot.frame))
    plot.write(rows, plot.values.shift(1).iloc[rows].to_numpy(dtype=object))
    plot.places += [tuple(place) for place in plot.more.get("partners", ())]
