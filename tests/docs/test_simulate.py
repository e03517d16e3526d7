"""The page docs/simulate.md: its commands run, its promises hold, and it lists the kinds that can be planted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab2live.charter import loading as charters
from lab2live.data.sources import tables
from lab2live.eda.checks import quality
from lab2live.eda.checks.catalogue import CHECKS
from lab2live.synthesis import simulate
from lab2live.synthesis.faults import KINDS

from .walking import ROOT, Walk

PAGE = ROOT / "docs" / "simulate.md"


@pytest.mark.skipif(sys.platform == "win32", reason="the page uses sed")
def test_every_command_runs_and_every_fault_of_the_example_is_found(
    reader: Callable[..., Walk], monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = reader()
    walk.follow(PAGE)  # what the run would say is asked below: the journey's own tests execute notebooks
    monkeypatch.chdir(walk.home)
    planted = simulate.read_truth(Path("faulty"))["faults"]
    assert {"kind", "checks", "source", "column", "places", "share", "rows", "positions", "examples"} <= {*planted[0]}
    charter = charters.find(".")
    checked, _ = quality.check(charter, tables.read_all(charter))
    loud = {(one.check, one.column) for one in checked.findings if one.severity != "info"}
    assert loud == {(check, fault["column"]) for fault in planted for check in fault["checks"]}
    # without the earlier extract nobody can see that every amount is in another unit
    blind = charters.read(Path("exam.yaml"))
    without = charter.model_copy(update={"sources": [charter.sources[0].model_copy(update={"snapshot": None})]})
    checked, _ = quality.check(without, tables.read_all(without))
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
    groups = "|".join({name.partition(".")[0] for name in CHECKS})
    named = set(re.findall(rf"`((?:{groups})\.\w+)`", PAGE.read_text(encoding="utf-8")))
    assert named and named <= set(CHECKS)
