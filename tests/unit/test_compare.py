"""Runs side by side: what changed is named, scores are paired where the test rows are the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.gates import judge
from lab2live.cli import main as cli
from lab2live.errors import UserError
from lab2live.pipeline import decision, store
from lab2live.portfolio import compare

CHARTER = """\
project: {name: Tiny}
prediction: {problem_type: classification, target: y}
sources: [{name: table, uri: table.csv}]
"""


def make(folder: Path, name: str, charter: str = CHARTER, rows: int = 400, quality: float = 1.0, **more: Any) -> Path:
    """Write what a run leaves behind, as far as it is compared."""
    run = folder / name
    outcome = np.random.default_rng(0).integers(0, 2, rows)
    noise = np.random.default_rng(1).normal(size=rows)
    scored = pd.DataFrame({"id": np.arange(rows), "outcome": outcome, "answer": quality * outcome + noise})
    (run / "artefacts").mkdir(parents=True)
    scored.to_parquet(run / compare.SCORED)
    rung = {"name": "linear", "title": "Linear model", "test": 0.7, "test_low": 0.6, "test_high": 0.8}
    net = {"low": 1_000.0, "middle": 2_000.0, "high": 3_000.0}
    poc = {
        **{name: [] for name in store.RESERVED},
        "version": store.VERSION,
        "parameters": {"seed": 0, **more.pop("parameters", {})},
        "ladder": {"metric": "roc_auc", "chosen": "linear", "rungs": [rung]},
        "returns": {"currency": "EUR", "net": net},
    }
    (run / "results").mkdir()
    (run / "results" / "poc.json").write_text(json.dumps(poc))
    gate = judge("poc.shift", more.pop("shift", 0.5), "Measured.")
    recall = {"value": 0.4, "low": 0.3, "high": 0.5, "level": 0.9, "unit": "share"}
    facts = {
        "id": name,
        "stages": [{"stage": "poc", "title": "Proof of concept", "status": "done", "error": None}],
        "inputs": {
            "charter": "a" * 64,
            "code features.py": more.pop("code", "b") * 64,
            "source table": more.pop("data", "c") * 64,
        },
        "versions": {"python": "3.12.1", "pandas": more.pop("pandas", "2.3.3")},
    }
    content = {
        "decision": more.pop("decided", "go"),
        "reasons": [],
        "gates": [gate.as_dict()],
        "measures": {"recall": recall, "precision": None},
        "run": facts,
    }
    (run / decision.FILE).write_text(json.dumps(content))
    (run / "project.yaml").write_text(charter)
    return run


def compared(*runs: Path) -> dict[str, list[dict[str, str]]]:
    return compare.compare(compare.read(runs))


def row(rows: list[dict[str, str]], name: str) -> dict[str, str]:
    return next(each for each in rows if each[""].startswith(name))


def test_two_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    found = compared(make(tmp_path, "one"), make(tmp_path, "two"))
    assert (found["What changed"], found["Gates that differ"]) == ([], [])
    assert row(found["Scores on the test set"], "difference")["two"] == "+0.000 [+0.000, +0.000]"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"data": "d"}, "content of source table"),
        ({"code": "d"}, "content of code features.py"),
        ({"pandas": "9.9"}, "version of pandas"),
        ({"parameters": {"folds": 3}}, "parameter poc.folds"),
        ({"charter": CHARTER.replace("target: y", "target: z")}, "charter prediction.target"),
    ],
)
def test_what_changed_is_named_and_nothing_else(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    found = compared(make(tmp_path, "one"), make(tmp_path, "two", **more))
    assert [each[""] for each in found["What changed"]] == [says]
    assert found["What changed"][0]["one"] != found["What changed"][0]["two"]


def test_a_better_model_on_the_same_rows_is_told_with_an_interval_above_zero(tmp_path: Path) -> None:
    found = compared(make(tmp_path, "one"), make(tmp_path, "two", quality=2.0))
    said = row(found["Scores on the test set"], "difference")["two"]
    middle, low, high = (float(part.strip("[],")) for part in said.split())
    assert 0 < low < middle < high < 0.5


def test_scores_on_other_rows_are_not_paired(tmp_path: Path) -> None:
    found = compared(make(tmp_path, "one"), make(tmp_path, "two", rows=300))
    assert row(found["Scores on the test set"], "difference")["two"] == "not paired: other test rows"


def test_a_run_without_scores_is_not_compared(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    (two / "results" / "poc.json").unlink()
    found = compared(one, two)
    assert row(found["Scores on the test set"], "score")["two"] == "–"
    assert row(found["Scores on the test set"], "difference")["two"].startswith("not comparable")
    assert row(found["Money, workload and quality"], "left after")["two"] == "not measured"


def test_gates_money_and_decisions_stand_side_by_side(tmp_path: Path) -> None:
    found = compared(make(tmp_path, "one"), make(tmp_path, "two", shift=0.6, decided="conditional"))
    assert found["Decisions"] == [{"": "decision", "one": "go", "two": "conditional"}]
    assert [each[""] for each in found["Gates that differ"]] == ["poc.shift"]
    assert "0.6 ROC AUC (at most 0.55 allowed)" in found["Gates that differ"][0]["two"]
    money = found["Money, workload and quality"]
    assert row(money, "recall")["one"] == "0.4 [0.3, 0.5] share"
    assert row(money, "precision")["one"] == "not measured"
    assert row(money, "left after")["one"] == "2,000 [1,000, 3,000] EUR"


def test_two_projects_with_runs_of_the_same_second_have_a_column_each(tmp_path: Path) -> None:
    one, two = make(tmp_path / "a", "run"), make(tmp_path / "b", "run", decided="conditional")
    assert compared(one, two)["Decisions"] == [{"": "decision", str(one): "go", str(two): "conditional"}]


def test_a_folder_that_is_no_run_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no verdict"):
        compared(make(tmp_path, "one"), tmp_path)


def test_the_command_prints_and_writes_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two", charter=CHARTER.replace("Tiny", "'<b>Tiny</b> [red]'"))
    page = tmp_path / "page.html"
    monkeypatch.setattr(sys, "argv", ["lab2live", "compare", str(one), str(two), "--out", str(page)])
    assert cli.main() == 0
    said = capsys.readouterr().out
    assert "project.name" in said and "[red]" in said
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;Tiny&lt;/b&gt;" in text and "<b>Tiny" not in text
    for wrong in ([str(one)], [str(one), str(two), "--out", str(tmp_path)]):
        monkeypatch.setattr(sys, "argv", ["lab2live", "compare", *wrong])
        assert cli.main() == 1
