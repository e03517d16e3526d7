"""Small bundles that can be asked, of every kind of problem."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.data.sources.reading import ColumnReading, Readings
from lab2live.explainability import explainer
from lab2live.handoff import bundle, contract, export, form
from lab2live.pipeline import hooks
from lab2live.poc.comparison.chosen import Chosen
from lab2live.poc.worth import value

FEATURES = """
def add_features(frame):
    return frame.assign(double=frame["bill"] * 2, silent=frame["note"].isna().astype(float))
"""
RULES = """
import numpy as np

def score(frame):
    if (frame["age"] > 300).any():
        raise ValueError("the name of a person")
    return np.where(frame["bill"] > 60, 0.2, 0.1)
"""
NUMBER_RULES = RULES.replace("0.2, 0.1", "80.0, 20.0")
CLASS_RULES = RULES.replace("0.2, 0.1", "'high', 'low'")
FALLBACK = {
    "invalid_input": "review",
    "out_of_distribution": "rule",
    "low_confidence": "baseline",
    "model_error": "rule",
}


@dataclass(frozen=True)
class Made:
    """A bundle that can be asked, and what it was made from."""

    folder: Path
    charter: Charter
    table: pd.DataFrame
    data: dataset.Dataset
    picked: Chosen
    explainer: explainer.Explainer
    form: dict[str, Any]


def plain(table: pd.DataFrame) -> dict[str, ColumnReading]:
    """Say how the columns of a table that no source holds are read."""
    kinds: dict[str, Any] = {
        "boolean": pd.api.types.is_bool_dtype,
        "number": pd.api.types.is_numeric_dtype,
        "moment": pd.api.types.is_datetime64_any_dtype,
    }
    return {
        str(name): ColumnReading(next((kind for kind, fits in kinds.items() if fits(table[name])), "text"))  # type: ignore[arg-type]
        for name in table
    }


def _table(problem: str, rows: int = 700) -> pd.DataFrame:
    random = np.random.default_rng(0)
    bill = np.round(random.gamma(8.0, 8.0, rows), 2)
    frame = pd.DataFrame(
        {
            "id": [f"c{number}" for number in range(rows)],
            "bill": np.where(random.random(rows) < 0.1, np.nan, bill),
            "lines": random.integers(1, 6, rows),
            "contract": random.choice(["monthly", "yearly"], rows),
            "<b>kind</b>": random.choice(["<script>alert(1)</script>", "plain", None], rows, p=[0.4, 0.4, 0.2]),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
            "age": random.integers(18, 90, rows),
            "note": [f"said {number} and more" if number % 25 else None for number in range(rows)],
        }
    )
    frame["yearly"] = 12 * frame["lines"]
    margin = (bill - 64) / 15 + 1.5 * (frame["contract"] == "monthly") - 0.8 + 0.2 * (frame["lines"] - 3)
    noisy = margin + random.logistic(size=rows) * 0.6
    outcome: Any = {
        "binary": np.where(noisy > 0, "yes", "no"),
        "multiclass": np.select([noisy < -0.7, noisy < 0.9], ["low", "middle"], "high"),
        "regression": 50 + 12 * noisy,
    }[problem]
    return frame.assign(left=outcome)


def _make(problem: str, home: Path, personal: bool = False, own_code: bool = True) -> Made:
    package = f"served_{problem}_{personal}".lower()
    code = home / "src" / package
    code.mkdir(parents=True)
    rules = {"binary": RULES, "multiclass": CLASS_RULES, "regression": NUMBER_RULES}[problem]
    for name, content in {"__init__": "", "features": FEATURES, "rules": rules}.items():
        (code / f"{name}.py").write_text(content)
    classes = problem != "regression"
    money: dict[str, Any] = {
        "per_case": {"true_positive": 10, "false_positive": -10 / 3, "false_negative": 0, "true_negative": 0}
    }
    charter = Charter.model_validate(
        {
            "project": {
                "name": "Who <i>leaves</i>?",
                "package": package if own_code else None,
                "description": "Who is about to leave?",
            },
            "business": {"value": money if problem == "binary" else {}},
            "prediction": {
                "problem_type": "classification" if classes else "regression",
                "target": "left",
                "positive_class": "yes" if problem == "binary" else None,
                "id_column": "id",
                "immutable": ["age"],
                "derived": {"yearly": "12 * lines"},
                "decision_level": None if classes else 55.0,
            },
            "sources": [
                {
                    "name": "s",
                    "uri": "never-read.csv",
                    "personal_data": personal,
                    "columns": {"bill": {"type": "number", "min": 0, "unit": "EUR"}, "left": {"unit": "EUR"}},
                }
            ],
            "fallback": FALLBACK,
            "folder": home,
        }
    )
    table = _table(problem)
    data = hooks.dataset(charter, table)
    split = splits.split(charter, data, 0)
    made = models.boosting(data, 0, {"max_iter": 30})
    held_out = np.full((len(split.train), *((len(data.classes),) if problem == "multiclass" else ())), np.nan)
    place = np.zeros(len(data.outcome), dtype=int)
    place[split.train] = np.arange(len(split.train))
    for learn, validate in splits.folds(charter, data, split.train, 3, 1, 0):
        held_out[place[validate]] = models.answer(models.fit(made, data, learn), data.inputs.iloc[validate])
    model = models.fit(made, data, split.train)
    policy = value.learn_policy(charter, data.problem, data.outcome[split.train], held_out)
    picked = Chosen("boosting", model, held_out, policy, True)
    asked_of = explainer.learn(charter, table, data, split, picked, 0)
    labelled = dataset.labelled(charter, table)
    described = form.describe(charter, labelled, split.train, held_out, asked_of)
    exported, content, _ = export.export(model, data, policy.threshold, rows=200)
    agreed = contract.describe(charter, data, split, policy)
    explaining = bundle.explaining(asked_of, described, charter.is_personal, Readings(plain(table)))
    folder = home / "bundle"
    bundle.write(folder, exported, content, agreed, bundle.code_of(charter), "# card\n", explaining)
    return Made(folder, charter, labelled, data, picked, asked_of, described)


def put(folder: Path, name: str, content: str) -> None:
    """Put a file into a bundle, and its hash, as whoever writes the bundle would."""
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    (folder / name).write_text(content)
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Made]]:
    """Make a bundle of a kind of problem, once."""
    path = list(sys.path)

    @cache
    def once(problem: str, personal: bool, own_code: bool) -> Made:
        return _make(problem, tmp_path_factory.mktemp(problem), personal, own_code)

    def make(problem: str, personal: bool = False, own_code: bool = True) -> Made:
        return once(problem, personal, own_code)

    yield make
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("served_")]:
        del sys.modules[name]
