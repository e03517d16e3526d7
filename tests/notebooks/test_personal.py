"""Where data are personal, what goes into git names nobody: no id and no single value of a person (F3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from lab2live.charter import loading
from lab2live.pipeline import notebooks, snapshots

ROOT = Path(__file__).resolve().parents[2]


CHECKS = """
from lab2live import Finding, check

@check("own.young_savers", "L4b", needs=["income", "age"])
def young_savers(source):
    rows = source.sample[source.sample.income > 100_000].head(2)
    return Finding(value=len(rows), message=f"{rows.id.iloc[0]} earns {rows.income.iloc[0]}.", column="income",
                   severity="fail", rows=len(rows), examples=rows.id)

@check("own.broken", applies_to=["people"])
def broken(source):
    raise KeyError(source.sample.id.iloc[0])
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """Write a project whose faults are single people's: unknown keys, wrong and extreme values, copies, gaps.

    Returns
    -------
    folder, private
        The project, and every text by which somebody could be known.
    """
    folder, random = tmp_path_factory.mktemp("personal"), np.random.default_rng(0)
    rows = 400
    ids = [f"KD{number}" for number in random.choice(np.arange(100_000, 999_999), rows, replace=False)]
    age, income = random.integers(18, 80, rows).astype(float), random.normal(3_000, 400, rows).round(2)
    people = pd.DataFrame(
        {
            "id": ids,
            "age": age,
            "income": income,
            "town": random.choice(["Bonn", "Köln", "Ulm"], rows),
            "left": np.where(random.random(rows) < 1 / (1 + np.exp(-(age - 50) / 8)), "yes", "no"),
        }
    )
    people.loc[[3, 5, 8], "income"] = [731_904.17, 812_233.46, 690_118.93]
    people.loc[[11, 12], "age"] = [-4711.0, 3187.0]
    people.loc[[20, 21], "town"] = ["Wüstenrot-Nord", "N/A"]
    people.loc[30:33, "town"] = None
    people = pd.concat([people, people.iloc[[40, 41]]])
    calls = pd.DataFrame({"id": [*ids[:300], "KD1000001", "KD1000002"], "town": people["town"].iloc[:302].to_numpy()})
    calls.loc[[50, 51, 52, 53], "town"] = "Trier"
    people.to_csv(folder / "people.csv", index=False)
    calls.to_csv(folder / "calls.csv", index=False)
    sources = [
        {
            "name": "people",
            "uri": "people.csv",
            "key": "id",
            "personal_data": True,
            "critical": ["town"],
            "columns": {"age": {"type": "number", "min": 0, "max": 120}},
            "expected": {"town": ["Bonn", "Köln", "Ulm"]},
        },
        {"name": "calls", "uri": "calls.csv", "key": "id", "personal_data": True},
    ]
    package = folder / "src" / "own_people"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "features.py").write_text("def add_features(frame):\n    return frame\n", encoding="utf-8")
    (package / "rules.py").write_text("def score(frame):\n    return frame.age.fillna(0) / 100\n", encoding="utf-8")
    (package / "checks.py").write_text(CHECKS, encoding="utf-8")
    accepted = {"check": "validity.range", "column": "age", "by": "Ada", "why": "Typing errors, mended in May."}
    charter = {
        "project": {"name": "Personal", "package": "own_people"},
        "accepted": [{**accepted, "until": "2999-01-01"}],
        "prediction": {"problem_type": "classification", "target": "left", "positive_class": "yes", "id_column": "id"},
        "sources": sources,
        "join": {"base": "people", "on": "id"},
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(charter, allow_unicode=True), encoding="utf-8")
    single = {"731904", "731,904", "812233", "812,233", "690118", "690,118", "-4711", "3187", "Wüstenrot"}
    return folder, {*ids, "KD1000001", "KD1000002", *single}


@pytest.fixture(scope="module")
def executed(project: tuple[Path, set[str]]) -> Path:
    folder, _ = project
    copy = folder / "run" / "01_eda.ipynb"
    copy.parent.mkdir()
    given = {"project": str(folder), "run_dir": str(copy.parent), "permutations": 99}
    outcome = notebooks.execute(ROOT / "notebooks" / "01_eda.ipynb", copy, given, folder, lambda done, total: None)
    assert outcome.error is None
    return copy


def shown(cell: Any, texts: set[str]) -> set[str]:
    """Give those of some texts that stand in what a cell shows."""
    outputs = [one.get("data", {}) | {"text": one.get("text", "")} for one in cell.get("outputs", ())]
    said = "".join(str(text) for output in outputs for kind, text in output.items() if "png" not in kind)
    return {text for text in texts if text in said}


def test_the_reference_of_the_first_notebook_names_nobody(project: tuple[Path, set[str]], executed: Path) -> None:
    def found_in(personal: bool) -> set[str]:
        reference = nbformat.reads(snapshots.normalised(executed, "eda", personal), as_version=4)
        assert any(shown(cell, {"people"}) for cell in reference.cells)
        return {text for cell in reference.cells for text in shown(cell, project[1])}

    assert found_in(personal=True) == set()
    # the faults are there to be named: extreme values stand in messages; ids in those of the own checks only
    assert "Wüstenrot" in (found := found_in(personal=False))
    assert len([text for text in found if text.startswith("KD")]) == 2


@pytest.mark.slow
def test_no_recorded_reference_names_anybody(project: tuple[Path, set[str]]) -> None:
    folder, private = project
    written = list(snapshots.record(loading.read(folder / loading.FILE)))
    assert len(written) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    for reference in written:
        cells = [cell for cell in nbformat.read(reference, as_version=4).cells if cell.get("outputs")]
        assert cells, reference.name
        assert [(cell.id, found) for cell in cells if (found := shown(cell, private))] == [], reference.name


def test_own_checks_and_accepted_findings_stand_in_the_results(executed: Path) -> None:
    results = json.loads((executed.parent / "results" / "eda.json").read_text(encoding="utf-8"))
    found = {(one["check"], one["column"]): one for one in results["findings"]}
    own = found["own.young_savers", "income"]
    assert (own["witness"], own["threshold"], own["source"], own["severity"]) == ("own", None, "people", "fail")
    assert len(own["examples"]) == 2
    assert found["validity.range", "age"]["accepted"] == {
        "by": "Ada",
        "until": "2999-01-01",
        "value": None,
        "why": "Typing errors, mended in May.",
    }
    (problem,) = results["problems"]
    assert problem.startswith("The own check `own.broken` failed on people.") and "checks.py" in problem
    assert "own.broken" in {skip["check"] for skip in results["skipped"]}
    (gate,) = [gate for gate in results["gates"] if gate["id"] == "eda.outliers"]
    assert (gate["status"], gate["value"]) == ("fail", 2)
    assert "own.young_savers (people, income)" in gate["message"] and "accepted" in gate["message"]
