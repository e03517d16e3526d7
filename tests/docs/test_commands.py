"""Every command of the documentation runs, and prints what the page says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import OWN_PIECES, newest_run
from .walking import ROOT, Walk, blocks, is_followed

pytestmark = [
    pytest.mark.slow,  # a whole journey
    pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell"),
]

DOCS = ROOT / "docs"
# Where a reader stands who opens the page; the others are followed in a project that has been run.
IN_A_CLONE = ("README.md", "CONTRIBUTING.md", "troubleshooting.md")
ELSEWHERE = ("tutorial.md", "simulate.md", "howto-postgresql.md", *OWN_PIECES)  # here, beside, or in the fixture
IN_A_PROJECT = [
    page.name
    for page in sorted(DOCS.glob("*.md"))
    if page.name not in (*IN_A_CLONE, *ELSEWHERE) and any(map(is_followed, blocks(page)))
]
Reader = Callable[..., Walk]


def all_of(page: Path) -> int:
    """Count the blocks of a page that are to be run: a page of which nothing is would pass whatever it says."""
    found = sum(map(is_followed, blocks(page)))
    assert found, f"{page.name} has nothing that is run"
    return found


def test_the_readme_says_how_large_a_generated_project_is(clone: Path, reader: Reader) -> None:
    walk = reader(clone)
    walk.type("cookiecutter --no-input --default-config --output-dir .. .")
    made = [path for path in (walk.home / "telecom-churn").rglob("*") if path.is_file()]
    lines = sum(path.read_text(encoding="utf-8").count("\n") for path in made if path.suffix == ".py")
    assert f"{len(made)} files, {lines} lines of Python" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len([path for path in made if path.suffix == ".whl"]) == 1


def test_the_tutorial_leads_from_a_table_to_a_bundle(clone: Path, reader: Reader) -> None:
    walk = reader(clone)
    assert walk.follow(DOCS / "tutorial.md") == all_of(DOCS / "tutorial.md")
    assert (newest_run(walk.here) / "artefacts" / "bundle" / "manifest.json").is_file()


def test_every_own_piece_of_the_how_tos_is_found_in_the_run(project: Path) -> None:
    run = newest_run(project)

    def results(stage: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((run / "results" / f"{stage}.json").read_text(encoding="utf-8"))
        return found

    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    assert not [record["error"] for record in verdict["run"]["stages"] if record["error"]]
    eda, poc = results("eda"), results("poc")
    assert "tickets_per_year" in eda["columns"]
    assert "LightGBM" in str(poc["ladder"])
    assert not poc["problems"] + eda["problems"]
    (gate,) = (gate for gate in verdict["gates"] if gate["id"] == "own.monthly_contracts")
    assert gate["must_pass"] and gate["stage"] == "own_analysis" and gate["value"] is not None
    (finding,) = (finding for finding in eda["findings"] if finding["check"] == "own.sunday_tickets")
    assert finding["witness"] == "own" and finding["accepted"]["by"] == "Jonas Lind"
    assert set(results("regions")["churn_by_region"]) >= {"North", "South"}
    assert "07_regions.html" in (run / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", IN_A_PROJECT)
def test_the_commands_of_a_page_run_in_a_project(name: str, project: Path, clone: Path, reader: Reader) -> None:
    assert reader(project).follow(DOCS / name) == all_of(DOCS / name)


@pytest.mark.parametrize("name", IN_A_CLONE)
def test_the_commands_of_a_page_run_in_a_clone(name: str, project: Path, clone: Path, reader: Reader) -> None:
    page = next(page for page in (ROOT / name, DOCS / name) if page.is_file())
    assert reader(clone, project).follow(page) == all_of(page)


def test_the_commands_about_postgresql_run_against_one(warehouse: int, clone: Path, reader: Reader) -> None:
    walk = reader(clone)
    walk.here, walk.instead = walk.home, {**walk.instead, "5432": str(warehouse)}
    assert walk.follow(DOCS / "howto-postgresql.md") == all_of(DOCS / "howto-postgresql.md")


def test_results_hold_the_keys_that_the_reference_names(project: Path) -> None:
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    common = set(re.findall(r"`(\w+)`", text.partition("In all of them:")[2].partition("And what")[0]))
    for stage, table in re.findall(r"<!-- keys: (\w+) -->(.*?)<!-- end -->", text, re.S):
        found = json.loads((newest_run(project) / "results" / f"{stage}.json").read_text(encoding="utf-8"))
        named = {key for row in re.findall(r"^\| (`.*?) \|", table, re.M) for key in re.findall(r"`(\w+)`", row)}
        assert named == set(found) - common, stage
