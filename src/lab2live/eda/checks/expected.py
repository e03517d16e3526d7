"""What the charter expects in a column: a list of values or bands, in the charter or in a file beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.charter.yaml import read_yaml
from lab2live.data.encoding import label
from lab2live.errors import UserError

NUMBER = r"[-+]?\d+(?:\.\d+)?"
BAND = re.compile(rf"^\s*({NUMBER})\s*(?:-|–|—|\.\.|to)\s*({NUMBER})\s*$")
OPEN_BAND = re.compile(rf"^\s*(?:({NUMBER})\s*\+|(>=|>|<=|<)\s*({NUMBER}))\s*$")


def values_of(charter: Charter, column: str, declared: list[Any] | str) -> list[Any]:
    """Read the expected values of a column.

    Parameters
    ----------
    charter
        Knows where relative paths start.
    column
        Its name, by which a file with several columns is read.
    declared
        The values themselves, or the path of a CSV, Parquet, YAML, JSON or text file (one value a line).

    Raises
    ------
    UserError
        If the file is not there or cannot be read as a list.
    """
    if not isinstance(declared, str):
        return declared
    place = charter.locate(declared)
    try:
        values = _read(Path(place), column)
    except Exception as error:  # whatever stands in a file that users write
        raise UserError(
            f"The expected values of {column} cannot be read.",
            where=place,
            found=f"{type(error).__name__}: {error}",
            expected="one value a line, a column of that name, or a list",
        ) from error
    return [value for value in values if value is not None and not pd.isna(value)]


def declared(charter: Charter, source: Source, column: str) -> list[str]:
    """List all values that the charter names for a column, as texts: those that occur, and those expected."""
    described, listed = source.columns.get(column), source.expected.get(column, [])
    try:
        wanted = values_of(charter, column, listed)
    except UserError:  # coverage tells that the file cannot be read
        wanted = []
    return list(dict.fromkeys(map(label, [*((described and described.values) or []), *wanted])))


def _read(place: Path, column: str) -> list[Any]:
    suffix = place.suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        text = place.read_text(encoding="utf-8")
        found = json.loads(text) if suffix == ".json" else read_yaml(text)
        found = found.get(column) if isinstance(found, dict) else found
        if not isinstance(found, list):
            raise TypeError("it holds no list")
        return found
    if suffix == ".parquet":
        return _column(pd.read_parquet(place), column)
    if suffix in (".csv", ".tsv"):
        table = pd.read_csv(place, dtype=str, sep="\t" if suffix == ".tsv" else ",", keep_default_na=False)
        values = _column(table, column)
        # a file of one column may have no heading: then the first value stands where it would be
        alone = len(table.columns) == 1 and str(table.columns[0]).strip().casefold() != column.strip().casefold()
        return [str(table.columns[0]), *values] if alone and _no_heading(table) else values
    return [line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]


def _column(table: pd.DataFrame, column: str) -> list[Any]:
    if column in table.columns:
        return table[column].tolist()
    if len(table.columns) != 1:
        raise KeyError(f"there is no column {column}")
    return table.iloc[:, 0].tolist()


def _no_heading(table: pd.DataFrame) -> bool:
    """Say whether the first line looks like the values below it: a number or a band above numbers or bands."""
    first, rest = str(table.columns[0]), table.iloc[:, 0].astype(str)
    return band(first) is not None and all(band(value) is not None for value in rest)


def band(value: Any) -> tuple[float, float] | None:
    """Read 18-29, 65+, <18 or a number as the smallest and the largest number meant; `None` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value), float(value)
    text = label(value)
    if found := BAND.match(text):
        return float(found[1]), float(found[2])
    if found := OPEN_BAND.match(text):
        if found[1]:
            return float(found[1]), float("inf")
        return (float(found[3]), float("inf")) if found[2].startswith(">") else (float("-inf"), float(found[3]))
    try:
        return float(text), float(text)
    except ValueError:
        return None


def is_range(value: Any) -> bool:
    """Say whether a value means several numbers."""
    found = band(value)
    return found is not None and found[0] < found[1]


def word(value: Any) -> str:
    """Write a value so that spelling and storage do not matter: how it is spelt is another check's question."""
    return label(value).casefold()
