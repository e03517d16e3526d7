"""Before anything is drawn: what cannot be meant is refused with its place and its fix, and what is made up is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lab2live.charter import loading as charters
from lab2live.charter.yaml import write_yaml
from lab2live.cli import main
from lab2live.data.sources import tables
from lab2live.errors import UserError
from lab2live.synthesis import plan, simulate

CRM: dict[str, Any] = {
    "name": "crm",
    "key": "id",
    "columns": {"id": {"type": "id"}, "plan": {"values": ["A", "B"]}, "churned": {"values": ["no", "yes"]}},
}


def written(folder: Path, *listed: dict[str, Any], target: str = "churned", **blocks: Any) -> Path:
    prediction = {"problem_type": "classification", "target": target, "id_column": "id"}
    join = {"join": {"base": listed[0]["name"], "on": "id"}} if len(listed) > 1 else {}
    path = folder / "project.yaml"
    path.write_text(write_yaml({"prediction": prediction, "sources": list(listed), **join, **blocks}))
    return path


def faulty(**fault: Any) -> dict[str, Any]:
    return {"simulate": {"rows": 60, "faults": [{"kind": "outliers", "source": "crm", **fault}]}}


def refused(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Simulate it and check it with the command: both refuse it with the same words."""
    with pytest.raises(UserError) as caught:
        simulate.write(path, path.parent / "out", say=lambda _: None)
    assert not (path.parent / "out").exists()
    monkeypatch.setattr(sys, "argv", ["lab2live", "charter", "--project", str(path.parent)])
    assert main.main() == 1
    assert capsys.readouterr().err == f"Error: {caught.value}\n"
    return {"problem": caught.value.problem, **caught.value.details}


def test_an_unknown_kind_of_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(written(tmp_path, CRM, **faulty(kind="outlier")), monkeypatch, capsys)
    assert said["where"] == f"{tmp_path / 'project.yaml'}, field `simulate.faults[0].kind`"
    assert said["found"] == "outlier" and said["expected"].startswith("critical_nulls, sentinel_number, ")
    assert said["fix"] == "correct it, or leave the fault out; did you mean `outliers`?"


def test_a_column_of_a_fault_that_the_source_does_not_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(written(tmp_path, CRM, **faulty(kind="token", column="plans")), monkeypatch, capsys)
    assert said["problem"] == "A fault names a column that the charter does not declare for crm."
    assert said["where"].endswith("field `simulate.faults[0].column`") and said["found"] == "plans"
    assert said["expected"] == "id, plan, churned" and said["fix"].endswith("did you mean `plan`?")


def test_a_target_that_no_source_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bills = {"name": "bills", "key": "id", "columns": {"amount": {"min": 0}}, "aggregate": {"bill": "sum(amount)"}}
    said = refused(written(tmp_path, CRM, bills, target="churn"), monkeypatch, capsys)
    assert said["problem"] == "No source declares the target."
    assert said["where"].endswith("field `prediction.target`") and said["found"] == "churn"
    assert said["fix"].endswith("did you mean `churned`?")
    # an aggregate is declared, too; and where a source is read, it may hold what the charter does not describe
    plan.check(charters.read(written(tmp_path, CRM, bills, target="bill")))
    plan.check(charters.read(written(tmp_path, CRM, {**bills, "uri": "bills.csv"}, target="churn")))


def test_what_can_be_meant_is_simulated(tmp_path: Path) -> None:
    faults = [{"kind": "leaking_feature", "source": "crm", "column": "score"}, {"kind": "token", "source": "crm"}]
    faults[1]["column"] = "plan"
    path = written(tmp_path, CRM, simulate={"rows": 300, "faults": faults})
    simulate.write(path, tmp_path / "out", say=lambda _: None)
    known = json.loads((tmp_path / "out" / simulate.TRUTH).read_text())
    assert [fault["planted"] for fault in known["faults"]] == [True, True]


def test_columns_of_a_sample_need_not_be_declared(tmp_path: Path) -> None:
    rows = "id,plan,churned,region\n" + "".join(f"C{n},A,{'yes' if n % 3 else 'no'},north\n" for n in range(90))
    (tmp_path / "crm.csv").write_text(rows)
    wanted = {"sample": {"crm": "crm.csv"}, "faults": [{"kind": "token", "source": "crm", "column": "region"}]}
    path = written(tmp_path, CRM, simulate=wanted)
    plan.check(charters.read(path))
    simulate.write(path, tmp_path / "out", say=lambda _: None)


def test_a_fault_in_a_source_that_is_read_is_nobodys_error(tmp_path: Path) -> None:
    plan.check(charters.read(written(tmp_path, {**CRM, "uri": "crm.csv"}, **faulty(kind="token", column="region"))))


def test_a_simulated_source_that_cannot_be_meant_is_a_problem_of_the_source(tmp_path: Path) -> None:
    charter = charters.read(written(tmp_path, CRM, target="churn"))
    assert "No source declares the target" in tables.read(charter, charter.sources[0]).problem


# --- what is made up --------------------------------------------------------------------------------------------------


def said_by(path: Path) -> list[str]:
    said: list[str] = []
    simulate.write(path, path.parent / "out", rows=50, say=said.append)
    known = json.loads((path.parent / "out" / simulate.TRUTH).read_text())
    assert known["invented"] == [line for line in said if "nvented" in line or "describes no" in line]
    return known["invented"]


def test_columns_without_a_description_are_named_with_what_was_made_up(tmp_path: Path) -> None:
    columns = {**CRM["columns"], "age": {"missing": 0.1}, "region": {}, "joined_on": {}, "seats": {"type": "integer"}}
    (said,) = said_by(written(tmp_path, {**CRM, "columns": columns}))
    assert said == (
        "Invented in crm, as nothing is said about them: age (whole numbers from 18 to 90 around 54), region (one of "
        "A, B, C, D), joined_on (days in the 730 up to 2026-08-01)."
    )


def test_a_source_that_declares_no_columns_is_named(tmp_path: Path) -> None:
    bare = {"name": "crm", "key": "id", "uri": "crm.csv", "critical": ["is_new"]}
    (said,) = said_by(written(tmp_path, bare))
    assert said == (
        "The charter describes no columns of crm. Invented in crm, as nothing is said about them: is_new (true or "
        "false), churned (one of no, yes)."
    )


def test_nothing_is_said_where_all_is_described(tmp_path: Path) -> None:
    assert said_by(written(tmp_path, CRM)) == []
