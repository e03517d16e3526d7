"""Three worlds without faults, as real data are: skewed, seasonal, growing, with honest gaps; and earlier extracts."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.yaml import write_yaml
from lab2live.data.feature_types import storable

Frames = dict[str, pd.DataFrame]
Place = tuple[str, str, dict[str, Any]]

# Days between an earlier extract and this one.
MONTH = 30


@dataclass(frozen=True)
class World:
    """One draw of a domain.

    Attributes
    ----------
    frames
        Source -> rows.
    charter
        As in `project.yaml`, without the sources' `uri`.
    files
        Source -> file name; its extension says the format.
    timed
        Source -> the date column that says since when a row exists; an earlier extract lacks the newest.
    edited
        (source, column) -> a column in which people honestly correct a few values within a month.
    places
        Kind of fault -> where it can be planted: source, column, what the planting needs beyond that.
    """

    name: str
    frames: Frames
    charter: dict[str, Any]
    files: dict[str, str]
    timed: dict[str, str]
    edited: list[tuple[str, str]]
    places: Mapping[str, list[Place]]
    seed: int

    def earlier(self) -> Frames:
        """Give the extract of a month ago: the newest rows are not there yet, a few values were different."""
        random = np.random.default_rng([self.seed, 77])
        base = self.charter["join"]["base"]
        key = self.charter["join"]["on"]
        frames = {name: self._before(frame, self.timed.get(name)) for name, frame in self.frames.items()}
        known = set(frames[base][key])
        for name, frame in frames.items():
            kept = frame[frame[key].isin(known)] if name != base else frame
            frames[name] = kept.reset_index(drop=True)
        for name, column in self.edited:
            frame = frames[name]
            rows = np.flatnonzero(random.random(len(frame)) < 0.01)
            values = frame[column].to_numpy(dtype=object, copy=True)
            values[rows] = values[random.integers(0, len(frame), len(rows))]
            frame[column] = pd.Series(values, index=frame.index).infer_objects()
        return frames

    @staticmethod
    def _before(frame: pd.DataFrame, column: str | None) -> pd.DataFrame:
        if column is None:
            return frame
        return frame[frame[column] < frame[column].max().normalize() - pd.Timedelta(days=MONTH)]


# -- what happens when ------------------------------------------------------------------------------------------------

DAY_SHIFT = [0.2, 0.1, 0.05, 0.05, 0.1, 0.4, 1.5, 4, 7, 9, 10, 10, 8, 8, 9, 9, 8, 7, 6, 4, 2.5, 1.5, 0.8, 0.4]
EVENINGS = [1.2, 0.5, 0.2, 0.1, 0.1, 0.3, 1, 2, 4, 5, 6, 6, 7, 6, 5, 5, 6, 7, 9, 11, 12, 10, 6, 3]
OFFICE = [0, 0, 0, 0, 0, 0, 0.5, 3, 9, 12, 12, 11, 6, 10, 12, 11, 9, 5, 1.5, 0.5, 0, 0, 0, 0]


def days_of(
    random: np.random.Generator, number: int, first: pd.Timestamp, last: pd.Timestamp, weekend: float, growth: float
) -> pd.DatetimeIndex:
    """Draw days: more of them later, a season, quieter weekends."""
    days = pd.date_range(first, last, freq="D")
    progress = np.arange(len(days)) / len(days)
    season = 1 + 0.15 * np.sin(2 * np.pi * (days.dayofyear.to_numpy() / 365.25 + random.uniform()))
    weight = (1 + growth * progress) * season * np.where(days.dayofweek >= 5, weekend, 1.0)
    return days[np.sort(random.choice(len(days), number, p=weight / weight.sum()))]


def at_hours(random: np.random.Generator, days: pd.DatetimeIndex, hours: list[float]) -> pd.DatetimeIndex:
    """Add a time of day."""
    weight = np.array(hours) / np.sum(hours)
    seconds = random.choice(24, len(days), p=weight) * 3600 + random.integers(0, 3600, len(days))
    return days + pd.to_timedelta(seconds, unit="s")


def some(random: np.random.Generator, levels: Mapping[str, float], number: int) -> np.ndarray:
    """Draw categories, whose shares differ a little from seed to seed."""
    shares = np.array(list(levels.values())) * random.uniform(0.9, 1.1, len(levels))
    return random.choice(np.array(list(levels), dtype=object), number, p=shares / shares.sum())


def gaps(random: np.random.Generator, values: Any, share: float) -> pd.Series:
    """Leave out values at random."""
    column = pd.Series(values)
    return column.mask(random.random(len(column)) < share)


def codes(random: np.random.Generator, number: int, digits: int, most: int) -> np.ndarray:
    """Draw codes that are written with leading zeros."""
    pool = random.choice(10**digits - 1, most, replace=False) + 1
    return np.array([str(code).zfill(digits) for code in pool[random.integers(0, most, number)]], dtype=object)


def sigmoid(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin))


def intercept(margin: np.ndarray, rate: float) -> float:
    """Find what to add to a margin so that its mean probability is the rate."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(margin + middle).mean() < rate else (low, middle)
    return low


def slashes(days: pd.Series) -> pd.Series:
    return days.dt.strftime("%d/%m/%Y")


CITIES = {
    "Nord": {"Kiel": 0.4, "Lübeck": 0.35, "Flensburg": 0.25},
    "Süd": {"München": 0.6, "Nürnberg": 0.25, "Würzburg": 0.15},
    "Ost": {"Leipzig": 0.5, "Görlitz": 0.2, "Dresden": 0.3},
    "West": {"Köln": 0.45, "Düsseldorf": 0.35, "Aachen": 0.2},
    "Mitte": {"Kassel": 0.4, "Göttingen": 0.3, "Fulda": 0.3},
    "Alpen": {"Zürich": 0.5, "Salzburg": 0.3, "Chur": 0.2},
    "Küste": {"Rostock": 0.6, "Wismar": 0.4},
    "Inseln": {"Sylt": 0.7, "Föhr": 0.3},
}
REGIONS = {
    "Nord": 0.17, "Süd": 0.2, "Ost": 0.14, "West": 0.19, "Mitte": 0.11, "Alpen": 0.1, "Küste": 0.06, "Inseln": 0.03,
}  # fmt: skip


def cities(random: np.random.Generator, regions: np.ndarray) -> np.ndarray:
    """Draw a city of each region: most pairs of city and region cannot be."""
    found = np.empty(len(regions), dtype=object)
    for region, levels in CITIES.items():
        inside = regions == region
        found[inside] = some(random, levels, int(inside.sum()))
    return found


# -- files ------------------------------------------------------------------------------------------------------------


def write(frame: pd.DataFrame, file: Path, table: str = "rows") -> None:
    """Write one source in the format that its file name says."""
    if file.suffix == ".csv":
        frame.to_csv(file, index=False)
    elif file.suffix == ".parquet":
        storable(frame).to_parquet(file, index=False)
    else:
        file.unlink(missing_ok=True)
        texts = storable(frame).apply(_as_text)
        connection = sqlite3.connect(file)
        texts.to_sql(table, connection, index=False)
        connection.commit()
        connection.close()


def _as_text(column: pd.Series) -> pd.Series:
    """Write dates the way SQLite has them: as ISO 8601 texts."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        return column
    dates_only = (column.dropna() == column.dropna().dt.normalize()).all()
    return column.dt.strftime("%Y-%m-%d" if dates_only else "%Y-%m-%d %H:%M:%S")


def table_of(world: World, source: str) -> str:
    """Name the table that a source has in a database."""
    entry = next(entry for entry in world.charter["sources"] if entry["name"] == source)
    return str(entry.get("table", "rows"))


def write_charter(
    world: World,
    files: Mapping[str, Path],
    earlier: Mapping[str, Path],
    withheld: set[str],
    folder: Path,
    annotators: Sequence[str] = (),
) -> Path:
    """Write the `project.yaml` of a run.

    Parameters
    ----------
    files, earlier
        Source -> file of this extract, and of the earlier one for sources that name one.
    withheld
        What the charter does not give: fields of a source, `limits`, or fields of `prediction`.
    annotators
        Columns that have been planted.
    """
    sources = []
    for source in world.charter["sources"]:
        kept = {name: value for name, value in source.items() if name not in withheld}
        if "limits" in withheld:
            kept.pop("columns", None)
        if source["name"] in earlier:
            kept["snapshot"] = str(earlier[source["name"]])
        sources.append({**kept, "uri": str(files[source["name"]])})
    prediction = {name: value for name, value in world.charter["prediction"].items() if name not in withheld}
    if annotators:
        prediction["annotators"] = list(annotators)
    path = folder / "project.yaml"
    content = {**world.charter, "prediction": prediction, "sources": sources}
    path.write_text(write_yaml(content), encoding="utf-8")
    return path
