"""The page docs/simulate.md: its commands run, its promises hold, and it lists the kinds that can be planted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab2live import charter as charters
from lab2live import cli
from lab2live.eda.checks import quality
from lab2live.eda.checks.catalogue import CHECKS
from lab2live.eda.silos import sources
from lab2live.eda.simulation import simulate
from lab2live.eda.simulation.faults import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "simulate.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.mark.skipif(sys.platform == "win32", reason="the page uses sed")
def test_every_command_runs_and_every_fault_of_the_example_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exam, project = blocks("yaml")
    Path("exam.yaml").write_text(exam, encoding="utf-8")
    Path("project.yaml").write_text(project, encoding="utf-8")
    commands = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        program, *arguments = command.split()
        if program == "sed":
            subprocess.run(command, shell=True, check=True)
        elif arguments[0] == "run":  # the journey's own tests execute notebooks; what it would say is asked below
            assert arguments == ["run", "--project", ".", "--stage", "eda"]
        else:
            monkeypatch.setattr(sys, "argv", ["lab2live", *arguments])
            assert cli.main() == 0, command
    assert "Invented in crm, as nothing is said about them: region" in capsys.readouterr().out
    planted = simulate.read_truth(Path("faulty"))["faults"]
    assert {"kind", "checks", "source", "column", "places", "share", "rows", "positions", "examples"} <= {*planted[0]}
    charter = charters.find(".")
    checked, _ = quality.check(charter, sources.read_all(charter))
    loud = {(one.check, one.column) for one in checked.findings if one.severity != "info"}
    assert loud == {(check, fault["column"]) for fault in planted for check in fault["checks"]}
    # without the earlier extract nobody can see that every amount is in another unit
    blind = charters.read(Path("exam.yaml"))
    without = charter.model_copy(update={"sources": [charter.sources[0].model_copy(update={"snapshot": None})]})
    checked, _ = quality.check(without, sources.read_all(without))
    assert "bill" not in {one.column for one in checked.findings if one.severity != "info"}
    assert [fault.kind for fault in blind.simulate.faults] == ["outliers", "spelling", "unit_all"]


def test_the_list_of_kinds_is_complete_and_true() -> None:
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    listed = {row[0].strip("`"): row for row in rows if row[0].strip("`") in KINDS and row[0] != "`kind`"}
    assert list(listed) == list(KINDS)
    for name, kind in KINDS.items():
        _, what, takes, share, check, *needs = (cell.strip(" |") for cell in listed[name])
        where = "a new column" if kind.takes == "new" else kind.takes
        assert (what, takes, float(share), check) == (kind.what, where, kind.full, f"`{kind.checks[0]}`")
        assert re.findall(r"`(\w+)`", " ".join(needs)) == list(kind.needs)


def test_only_checks_that_exist_are_named() -> None:
    named = set(
        re.findall(r"`((?:missing|outlier|coverage|integration|duplicate|leakage|label)\.\w+)`", PAGE.read_text())
    )
    assert named <= set(CHECKS)
