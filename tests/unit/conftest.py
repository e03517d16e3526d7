"""Small charters and data sets with a known truth, for the tests of the rooms."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.dataset import Dataset
from lab2live.data.sources import tables as silos
from lab2live.eda.checks.survey import Survey, survey_all
from lab2live.reporting import display

Making = Callable[..., Charter]
Generating = Callable[..., tuple[Charter, Dataset]]


def _charter(folder: Path = Path("."), **blocks: Any) -> Charter:
    """Make a charter; `prediction` may be left out or partial, `sources` is one that is never read."""
    prediction = {"problem_type": "classification", "target": "y", **blocks.pop("prediction", {})}
    sources = blocks.pop("sources", [{"name": "s", "uri": "never-read.csv"}])
    return Charter.model_validate({"prediction": prediction, "sources": sources, "folder": folder, **blocks})


def _generate(kind: str, rows: int = 400, seed: int = 0, **blocks: Any) -> tuple[Charter, Dataset]:
    """Draw cases from a generator whose truth is known.

    `binary`, `multiclass`, `regression`: linear in `x1` and `x2`, with a category and missing values. `xor`: only the
    signs of both numbers together tell anything. `noise`: nothing tells anything.
    """
    random = np.random.default_rng(seed)
    x1, x2 = random.normal(size=(2, rows))
    group = random.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    margin = 1.6 * x1 - 1.1 * x2 + 1.2 * (group == "red")
    frame = pd.DataFrame({"x1": x1, "x2": x2, "x3": random.normal(size=rows), "colour": group})
    uniform = random.random(rows)
    if kind == "binary":
        outcome: Any = np.where(uniform < 1 / (1 + np.exp(-margin)), "yes", "no")
    elif kind == "multiclass":
        outcome = np.select([margin + uniform < -0.8, margin + uniform < 1.2], ["low", "middle"], "high")
    elif kind == "regression":
        outcome = 10 + 3 * margin + random.normal(size=rows)
    elif kind == "xor":
        outcome = np.where((x1 > 0) ^ (x2 > 0) ^ (uniform < 0.1), "yes", "no")
    else:
        outcome = np.where(uniform < 0.4, "yes", "no")
    if kind in ("binary", "multiclass", "regression"):
        frame.loc[random.random(rows) < 0.05, "x1"] = np.nan
        frame.loc[random.random(rows) < 0.05, "colour"] = None
    problem = "regression" if kind == "regression" else "classification"
    prediction = {"problem_type": problem, **blocks.pop("prediction", {})}
    charter = _charter(prediction=prediction, **blocks)
    return charter, dataset.dataset(charter, frame.assign(y=outcome))


@pytest.fixture(autouse=True)
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back behind every test what a stage wants all tables of its process to say."""
    monkeypatch.setattr(display, "_mark", "")


@pytest.fixture(scope="session")
def charter_of() -> Making:
    return _charter


@pytest.fixture(scope="session")
def generate() -> Generating:
    return _generate


def _written(frame: pd.DataFrame, path: Path) -> str:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".sqlite":
        with sqlite3.connect(path) as connection:
            frame.to_sql("t", connection, index=False)
        connection.close()
    else:
        frame.to_parquet(path, index=False)
    return path.name


@pytest.fixture
def surveyed(tmp_path: Path) -> Callable[..., tuple[Charter, list[Survey]]]:
    """Write tables, and earlier extracts of them, as sources of a charter; open and measure them.

    Fields of the sources are given once for all; `earlier` maps names to frames.
    """

    def _surveyed(
        frames: dict[str, pd.DataFrame],
        file: str = "parquet",
        earlier: dict[str, pd.DataFrame] | None = None,
        **more: Any,
    ) -> tuple[Charter, list[Survey]]:
        blocks = {name: more.pop(name) for name in ("prediction", "join") if name in more}
        # a new folder each time: an engine may remember a file of the same name and second
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        if len(frames) > 1:
            blocks.setdefault("join", {"base": next(iter(frames)), "on": "id"})
        entries = []
        for name, frame in frames.items():
            entry = {"name": name, "uri": _written(frame, folder / f"{name}.{file}"), **more}
            if earlier and name in earlier:
                entry["snapshot"] = _written(earlier[name], folder / f"{name}-before.{file}")
            entries.append(entry)
        charter = _charter(folder, sources=entries, **blocks)
        surveys, unreadable = survey_all(charter, silos.read_all(charter))
        assert not unreadable
        return charter, surveys

    return _surveyed
