"""Real tables, and one with every oddity a table can have, from a CSV to a verdict."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as statsmodels

from .conftest import asked, call, newest_run, read


def journey(project: Path, *options: str, expect: int = 0) -> dict:
    """Run a bake's own code without installing it: its src goes first."""
    command = (sys.executable, "-m", "lab2live", "run", "--smoke", *options)
    call(*command, cwd=project, expect=expect)
    return read(newest_run(project) / "verdict.json")


def ask(project: Path) -> list:
    return asked(sys.executable, "-m", "lab2live", cwd=project)


def status(verdict: dict) -> dict[str, str]:
    return {gate["id"]: gate["status"] for gate in verdict["gates"]}


def results(project: Path, stage: str) -> dict:
    return read(newest_run(project) / "results" / f"{stage}.json")


@pytest.mark.slow
def test_doctor_visits_a_regression_reach_a_verdict(bake, tmp_path):
    statsmodels.datasets.randhie.load_pandas().data.to_csv(tmp_path / "randhie.csv", index=False)
    project = bake(tmp_path, data_source="file", data_path="randhie.csv", target="mdvis", problem_type="regression")
    # rows of one person stay together, and a sample of 2,500 rows has too few persons to show that a model is better
    verdict = journey(project, "--keep-going", expect=2)
    found = status(verdict)
    assert verdict["decision"] == "no-go" and found["poc.beats_baseline"] == "fail"
    assert found["explainability.additivity"] == found["handoff.parity"] == found["handoff.reload"] == "pass"
    assert found["handoff.round_trip"] == "pass"
    ladder = results(project, "poc")["ladder"]
    assert ladder["metric"] == "r2"
    assert ladder["gain"] > 0
    high, _, low = ask(project)
    assert "With 90% confidence the outcome lies between" in high["confidence"]["set"]
    assert float(high["answer"]["said"]) > float(low["answer"]["said"])


@pytest.fixture
def odd_table(tmp_path):
    """Names with spaces, quotes, unicode and markup; text, dates, gaps, constants, three classes, hostile values."""
    random = np.random.default_rng(0)
    rows = 900
    size = random.normal(size=rows)
    colour = random.choice(["rød", "grün", "<script>alert(1)</script>", "=cmd()"], rows)
    kind = np.where(size + (colour == "rød") + random.normal(size=rows) * 0.7 > 1, "høj", "lav")
    kind = np.where(np.abs(size) > 1.6, "sær & 'skæv'", kind)
    frame = pd.DataFrame(
        {
            "customer id": [f"k-{number}" for number in range(rows)],
            "Größe (cm)": size,
            '<b>"colour"</b>': colour,
            "日付": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
            "last seen at": pd.date_range("2021-01-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M:%S"),
            "free text": [f'{word} and then, "once more",\nsomething {number}' for number, word in enumerate(colour)],
            "always the same": 1,
            "nothing at all": np.nan,
            "flag": random.choice([True, False], rows),
            "big": random.integers(10**12, 10**13, rows),
            "what, then?": kind,
        }
    )
    frame.loc[::4, "Größe (cm)"] = np.nan
    frame.loc[::7, '<b>"colour"</b>'] = None
    frame.loc[::50, "what, then?"] = None
    frame.to_csv(tmp_path / "my data ü.csv", index=False)
    return tmp_path


def test_a_table_with_every_oddity_reaches_a_verdict(bake, odd_table):
    answers = {"data_path": "my data ü.csv", "target": "what, then?", "id_column": "customer id"}
    project = bake(odd_table, data_source="file", problem_type="classification", **answers)
    verdict = journey(project)
    found = status(verdict)
    assert [stage["status"] for stage in verdict["run"]["stages"]] == ["done"] * 5
    assert found["explainability.additivity"] == found["handoff.reload"] == "pass"
    eda = results(project, "eda")
    assert eda["columns"]["日付"] == eda["columns"]["last seen at"] == "date"
    assert eda["columns"]['<b>"colour"</b>'] == "category"
    assert set(eda["left_out"]) >= {"customer id", "free text", "always the same", "nothing at all"}
    assert len(ask(project)) == 3
    for page in newest_run(project).glob("*.html"):
        assert "<script>alert(1)" not in page.read_text(encoding="utf-8"), f"{page.name} lets data be markup"


@pytest.mark.slow
def test_a_target_that_is_noise_is_a_no_go_and_stops_there(bake, tmp_path):
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(1500, 4)), columns=list("abcd"))
    frame["y"] = random.permutation(np.repeat([0, 1], 750))
    frame.to_csv(tmp_path / "noise.csv", index=False)
    project = bake(tmp_path, data_source="file", data_path="noise.csv", target="y", problem_type="classification")
    verdict = journey(project, "--set", "poc.seed=3", expect=2)
    assert verdict["decision"] == "no-go"
    assert status(verdict)["poc.beats_baseline"] == "fail"
    assert [stage["status"] for stage in verdict["run"]["stages"]] == ["done", "done", *["not run"] * 3]


def test_a_source_that_is_gone_is_named_and_the_run_stays_readable(bake, tmp_path):
    table = tmp_path / "table.csv"
    pd.DataFrame({"x": [1.5, 2.5, 2.5, 4.0] * 75, "y": [0, 1, 1] * 100}).to_csv(table, index=False)
    project = bake(tmp_path, data_source="file", data_path=table, target="y", problem_type="classification")
    table.unlink()
    verdict = journey(project, expect=1)
    assert verdict["decision"] == "no-go"
    assert status(verdict)["eda.sources"] == "fail"
    error = verdict["run"]["stages"][0]["error"]
    assert error["name"] == "UserError"
    assert "table.csv" in error["message"]
    page = (newest_run(project) / "01_eda.html").read_text(encoding="utf-8")
    assert "site-packages" not in page and "lab2live/eda/" not in page, "a message for people has no frames in it"
