"""`lab2live portfolio`, typed the way a user does it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lab2live.portfolio import example, sheet

from .conftest import call


def portfolio(*arguments: object, cwd: Path, expect: int = 0) -> str:
    return call(sys.executable, "-m", "lab2live", "portfolio", *arguments, cwd=cwd, expect=expect)


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many {projects}")
    example.write(folder)
    (folder / "late-invoices" / "runs" / "made-up" / "verdict.json").write_text("{", encoding="utf-8")
    charter = folder / "energy-peaks" / "project.yaml"
    verdict = folder / "energy-peaks" / "runs" / "made-up" / "verdict.json"
    for path in (charter, verdict):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("Energy peaks", "<script>alert(1)</script>"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def printed(projects: Path) -> str:
    return portfolio(*sorted(path.name for path in projects.iterdir()), cwd=projects)


def test_it_prints_the_table_and_writes_page_numbers_and_figures(projects: Path, printed: str) -> None:
    out = projects / "portfolio"
    assert "Open this page:" in printed
    assert "That at least one of" in printed
    assert {path.name for path in out.iterdir()} == {"portfolio.ipynb", "portfolio.html", "portfolio.json", "figures"}
    content = json.loads((out / "portfolio.json").read_text(encoding="utf-8"))
    assert content["made_up"] is False
    assert len(content["projects"]) == len(content["overview"]) == len(example.PROJECTS)
    assert {group["currency"] for group in content["together"]} == {"EUR", "CHF"}


def test_a_project_that_cannot_be_read_is_listed_and_the_others_are_complete(projects: Path, printed: str) -> None:
    content = json.loads((projects / "portfolio" / "portfolio.json").read_text(encoding="utf-8"))
    rows = {row["project"]: row for row in content["overview"]}
    assert rows["Late invoices"]["verdict"] == "unreadable"
    assert rows["Repeat purchases"]["chance of a gain"] == "97%"
    page = (projects / "portfolio" / "portfolio.html").read_text(encoding="utf-8")
    assert "A file of the run cannot be read" in page
    assert sheet.MADE_UP not in page


def test_the_page_is_safe_and_goes_nowhere(projects: Path, printed: str) -> None:
    page = (projects / "portfolio" / "portfolio.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Back to the decision" not in page
    assert str(projects) not in page


def test_a_second_time_gives_the_same_numbers(projects: Path, printed: str) -> None:
    first = (projects / "portfolio" / "portfolio.json").read_bytes()
    names = sorted(path.name for path in projects.iterdir() if (path / "project.yaml").is_file())
    portfolio(*names, "--out", "again", cwd=projects)
    assert (projects / "again" / "portfolio.json").read_bytes() == first


def test_errors_say_what_to_do(projects: Path, tmp_path: Path) -> None:
    assert "no such folder" in portfolio(projects / "typo", cwd=tmp_path, expect=1)
    (tmp_path / "taken").touch()
    message = portfolio(projects / "staff-rotas", "--out", "taken", cwd=tmp_path, expect=1)
    assert "name another --out" in message
    portfolio(cwd=tmp_path, expect=1)
