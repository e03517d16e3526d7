"""Tables from which little can be learnt: the proof of concept ends in a gate or a message, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.yaml import write_yaml

from .conftest import call, newest_run, read

ROWS = 600
MONEY = {"cases_per_month": 1000, "build_cost": 1000, "run_cost_per_month": 10, "horizon_months": 12}
PER_CASE = {"true_positive": 120, "false_positive": -20, "false_negative": 0, "true_negative": 0}
COSTS = {"classification": {"per_case": PER_CASE}, "regression": {"cost_per_unit_under": 2, "cost_per_unit_over": 1}}


def drawn(rows: int = ROWS) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw columns and an outcome that depends on two of them."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 4)), columns=list("abcd"))
    frame = frame.assign(plan=random.choice(["basic", "plus"], rows), id=[f"c{row}" for row in range(rows)])
    return frame, np.where(frame["a"] - frame["b"] + random.normal(size=rows) > 0.5, "yes", "no")


def with_gaps() -> pd.DataFrame:
    frame, outcome = drawn()
    known = np.random.default_rng(1).random(ROWS) < 0.7
    return frame.assign(nothing=np.nan, y=pd.Series(outcome).where(known))


def wide() -> pd.DataFrame:
    frame, outcome = drawn()
    random = np.random.default_rng(2)
    more = pd.DataFrame(random.normal(size=(ROWS, 120))).add_prefix("n")
    shops = [f"shop {number}" for number in random.integers(0, 1000, ROWS)]
    return pd.concat([frame.assign(shop=shops, y=outcome), more], axis=1)


def go(folder: Path, frame: pd.DataFrame, problem: str, expect: int) -> tuple[str, dict]:
    frame.to_csv(folder / "cases.csv", index=False)
    charter = {
        "business": {"value": {**COSTS[problem], **MONEY}},
        "prediction": {"problem_type": problem, "target": "y", "id_column": "id", "sensitive": ["plan"]},
        "sources": [{"name": "cases", "uri": "cases.csv", "key": "id"}],
    }
    (folder / "project.yaml").write_text(write_yaml(charter), encoding="utf-8")
    said = call(sys.executable, "-m", "lab2live", "run", "--smoke", "--stage", "poc", cwd=folder, expect=expect)
    verdict = read(newest_run(folder) / "verdict.json")
    return said, {gate["id"]: gate for gate in verdict["gates"]}


@pytest.mark.slow
@pytest.mark.parametrize("make", [with_gaps, wide])
def test_gaps_and_many_columns_are_no_obstacle(tmp_path: Path, make: Callable[[], pd.DataFrame]) -> None:
    _, gates = go(tmp_path, make(), "classification", expect=0)
    assert gates["poc.beats_baseline"]["status"] == gates["poc.split"]["status"] == "pass"
    assert "fail" not in {gate["status"] for gate in gates.values()}


def test_twenty_rows_are_a_no_go(tmp_path: Path) -> None:
    frame, _ = drawn(20)
    _, gates = go(tmp_path, frame.assign(y=["yes", "no"] * 10), "classification", expect=2)
    assert gates["poc.beats_baseline"]["status"] == "fail"


def test_a_constant_number_is_a_message(tmp_path: Path) -> None:
    said, _ = go(tmp_path, drawn()[0].assign(y=3.0), "regression", expect=1)
    assert "The target of a regression is constant" in said and "Traceback" not in said


def test_one_class_is_a_message(tmp_path: Path) -> None:
    said, _ = go(tmp_path, drawn()[0].assign(y="yes"), "classification", expect=1)
    assert "The target of a classification needs two classes" in said and "Traceback" not in said
    assert "prediction.target" in said and "fix:" in said
