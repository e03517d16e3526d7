"""`lab2live init`: a look at the table, once; what depends on its columns goes into files that nobody has edited."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live import files
from lab2live.charter import loading
from lab2live.charter.schema import Charter
from lab2live.data import dataset as datasets
from lab2live.data.sources import schema_inference, tables
from lab2live.data.sources.errors import without_secrets
from lab2live.eda import starter
from lab2live.errors import UserError

if TYPE_CHECKING:
    from lab2live.data.dataset import Dataset

# Names the files that are still as generated, by the hash of their content; gone once the table has been looked at.
GENERATED = ".lab2live.json"
# More columns than these are not listed in code, nor in the charter.
MOST_IN_CODE, MOST_IN_CHARTER = 40, 60
# What the charter says as generated, and is filled in.
NO_STAND_IN = "simulate: {}\n"
PACKAGE_FILES = ("features.py", "rules.py", "checks.py")


@dataclass(frozen=True)
class Facts:
    """What a look at the tables tells.

    Attributes
    ----------
    types
        Feature -> type, in the charter's words; empty where there are too many to be listed in code.
    rule
        A first rule: `column`, `split`, `above`, `below`, `missing` and `kind`; `None` where no number says anything.
    stand_in
        The charter's block that says what stand-ins are drawn from.
    """

    types: Mapping[str, str]
    rule: Mapping[str, Any] | None
    stand_in: str


@lru_cache(1)
def look(answers: str, changed: int) -> Facts:
    """Read the table that the answers of a bake name, before anything is written.

    Parameters
    ----------
    answers
        `project`, `prediction` and `sources` as they will stand in the charter, as JSON.
    changed
        When the file was changed: a bake asks several times, and is answered once.

    Raises
    ------
    UserError
        If the table cannot be read, or does not have what the answers say.
    """
    del changed
    places = {"folder": Path.cwd(), "file": Path(loading.FILE)}
    return _facts(Charter.model_validate({**json.loads(answers), **places}))


def fill(folder: Path) -> list[str]:
    """Write what depends on the columns of the table into the files of a project that are still as generated.

    Parameters
    ----------
    folder
        Of the project.

    Returns
    -------
    list of str
        The files written; empty where the table has been looked at before.

    Raises
    ------
    UserError
        If the table cannot be read, or does not have what the charter says.
    """
    note = folder / GENERATED
    if not note.is_file() or loading.SOURCES in os.environ:
        return []
    charter = loading.read(folder / loading.FILE)
    facts = _facts(charter)
    package = charter.project.package or ""
    contents = {
        path: starter.render(Path(path).name, charter.prediction.model_dump(), package, facts.types, facts.rule)
        for path in (*(f"src/{package}/{name}" for name in PACKAGE_FILES), "tests/test_package.py")
    }
    text = (folder / loading.FILE).read_text(encoding="utf-8")
    contents[loading.FILE] = text.replace(NO_STAND_IN, facts.stand_in)
    generated = files.read_json(note)
    written = []
    for path, content in contents.items():
        place = folder / path
        if place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == generated.get(path):
            files.write_text(place, content)
            written.append(path)
    note.unlink()
    return written


def _facts(charter: Charter) -> Facts:
    """Look at the tables."""
    readings = tables.read_all(charter)
    for reading in readings:
        if reading.table is None:
            raise UserError(
                f"The table cannot be read: {reading.problem}",
                where=f"{charter.file}, field `sources ({reading.source.name}).uri`",
                found=without_secrets(reading.source.address, reading.source),
                fix="correct the address or the file",
            )
    data = datasets.dataset(charter, tables.joined_table(charter, readings))
    columns = {one["name"]: one["columns"] for one in schema_inference.describe(charter, readings)}
    known = {name: told["type"] for described in columns.values() for name, told in described.items()}
    types = {name: known.get(name, "text") for name in data.columns.kinds if name != charter.prediction.time_column}
    few, rule = sum(map(len, columns.values())) <= MOST_IN_CHARTER, _rule(data)
    return Facts(types if len(types) <= MOST_IN_CODE else {}, rule, _stand_in(columns, rule) if few else NO_STAND_IN)


def _rule(data: Dataset) -> dict[str, Any] | None:
    """Find the one split of one number that says most about the target; `None` where no number says anything."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    names = [
        name
        for name in data.columns.numbers
        if data.raw[name].dtype.kind in "iuf" and data.raw[name].count() * 2 > len(data.raw)
    ]
    if not names:
        return None
    numbers = data.raw[names].astype(float)
    kind_of_tree = DecisionTreeClassifier if data.classes else DecisionTreeRegressor
    # a twentieth of the rows at least: five strange rows make a large difference and a bad rule
    tree = kind_of_tree(max_depth=1, min_samples_leaf=0.05, random_state=0).fit(numbers, data.outcome).tree_
    if tree.node_count == 1:
        return None
    column = names[tree.feature[0]]
    split = float(f"{tree.threshold[0]:.6g}")
    values = numbers[column].to_numpy()
    kind = "mean" if not data.classes else "share" if len(data.classes) == 2 else "label"
    parts = {"above": values > split, "below": values <= split, "missing": slice(None)}

    def answer(part: Any) -> float | int | str:
        outcome = data.outcome[part]
        if kind == "label":
            name = data.classes[np.bincount(outcome).argmax()]
            return int(name) if re.fullmatch(r"0|-?[1-9]\d*", name) else name
        return float(f"{outcome.mean():.4g}")

    return {"column": column, "split": split, "kind": kind, **{name: answer(part) for name, part in parts.items()}}


def _stand_in(columns: Mapping[str, Mapping[str, Mapping[str, Any]]], rule: Mapping[str, Any] | None) -> str:
    """Write what stand-ins are drawn from. It declares nothing: no check holds the data against it."""
    lines = ["simulate:"]
    if rule and rule["kind"] != "label":
        effect = 0.8 if rule["above"] > rule["below"] else -0.8
        lines.append(f"  effects: {{{starter.quoted(rule['column'])}: {effect}}}")
    lines.append("  columns:")
    for source, described in columns.items():
        lines.append(f"    {starter.quoted(source)}:")
        for name, told in described.items():
            values = f", values: [{', '.join(map(starter.quoted, told['values']))}]" if "values" in told else ""
            lines.append(f"      {starter.quoted(name)}: {{type: {told['type']}{values}}}")
    return "\n".join(lines) + "\n"
