"""`lab2live charter --columns`: what stands-ins are drawn from, told from the data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from lab2live.charter import loading
from lab2live.charter.yaml import read_yaml, write_yaml
from lab2live.cli import main
from lab2live.data.sources import tables

ROWS = pd.DataFrame(
    {
        "visit": [f"V{number:04d}" for number in range(60)],
        "age": [20 + number for number in range(60)],
        "paid": [number / 8 for number in range(59)] + [None],
        "ward": ["Secret North", "Secret South", None] * 20,
        "note": [f"called {number} times" for number in range(60)],
        "seen": pd.date_range("2026-01-01", periods=60),
        "insured": [True, False] * 30,
        "nothing": [None] * 60,
        "outcome": ["stays", "leaves", "returns"] * 20,
    }
)
CHARTER = """
prediction: {problem_type: classification, target: outcome, id_column: visit}
sources:
  - {name: visits, uri: %s, columns: {age: {max: 110, unit: years}}}
"""


def written(folder: Path, suffix: str) -> Path:
    file = folder / f"visits{suffix}"
    if suffix == ".csv":
        ROWS.to_csv(file, index=False)
    elif suffix == ".parquet":
        ROWS.to_parquet(file)
    else:
        ROWS.to_excel(file, index=False)
    return file


def printed(folder: Path) -> tuple[str, int]:
    answer = CliRunner().invoke(main.app, ["charter", "--columns", "--project", str(folder)])
    return answer.stdout, answer.exit_code


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_columns_are_described_and_nobodys_data_are_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "project.yaml").write_text(CHARTER % written(tmp_path, suffix).name)
    text, code = printed(tmp_path)
    assert code == 0
    (told,) = read_yaml(text)["sources"]
    assert told["name"] == "visits"
    columns = told["columns"]
    assert {name: described["type"] for name, described in columns.items() if name != "nothing"} == {
        "visit": "id",
        "age": "integer",
        "paid": "number",
        "ward": "category",
        "note": "text",
        "seen": "date",
        "insured": "category" if suffix == ".csv" else "boolean",  # in a CSV, True is a word like any other
        "outcome": "category",
    }
    assert "nothing" in columns
    assert columns["age"] == {"type": "integer", "max": 110, "unit": "years"}
    assert columns["outcome"]["values"] == ["leaves", "returns", "stays"]
    for secret in ("Secret", "called", "V0001"):
        assert secret not in text


def test_what_is_printed_lets_the_journey_run_where_the_data_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, ".parquet")
    (tmp_path / "project.yaml").write_text(CHARTER % file.name)
    text, _ = printed(tmp_path)
    content = read_yaml((tmp_path / "project.yaml").read_text())
    content["sources"][0] |= read_yaml(text)["sources"][0]
    (tmp_path / "project.yaml").write_text(write_yaml(content))
    file.unlink()
    monkeypatch.setenv("LAB2LIVE_SOURCES", "simulated")
    drawn = tables.modelling_table(loading.find(tmp_path))
    assert set(drawn) == set(ROWS)
    assert set(drawn["outcome"]) == set(ROWS["outcome"])
    assert pd.api.types.is_numeric_dtype(drawn["paid"])
    # it is drawn from the description now, and there is nothing to add to that
    assert read_yaml(printed(tmp_path)[0]) == {"sources": []}


def test_a_number_has_no_classes(tmp_path: Path) -> None:
    written(tmp_path, ".csv")
    prediction = "{problem_type: regression, target: paid}"
    (tmp_path / "project.yaml").write_text(f"prediction: {prediction}\nsources: [{{name: v, uri: visits.csv}}]")
    assert read_yaml(printed(tmp_path)[0])["sources"][0]["columns"]["paid"] == {"type": "number"}


def test_a_source_that_cannot_be_read_is_named_and_the_others_are_described(tmp_path: Path) -> None:
    written(tmp_path, ".csv")
    (tmp_path / "project.yaml").write_text(
        "prediction: {problem_type: classification, target: outcome}\n"
        "join: {base: visits, on: visit}\n"
        "sources: [{name: visits, uri: visits.csv}, {name: bills, uri: bills.csv}]"
    )
    answer = CliRunner().invoke(main.app, ["charter", "--columns", "--project", str(tmp_path)])
    assert answer.exit_code == 1
    assert [source["name"] for source in read_yaml(answer.stdout)["sources"]] == ["visits"]
    assert "bills" in answer.stderr
