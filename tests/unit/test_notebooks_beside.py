"""Which notebook is executed that is no stage: the project's own, else the one that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab2live.pipeline import notebooks

NAME = "05_monitoring.ipynb"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LAB2LIVE_PROJECT", raising=False)
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "project.yaml").write_text("")
    (tmp_path / "project" / "notebooks" / NAME).write_text("{}")
    return tmp_path / "project"


def test_the_notebook_of_the_project_that_is_named_or_worked_in_comes_first(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project / "notebooks" / NAME
    assert notebooks.beside(NAME, project) == own
    monkeypatch.chdir(project / "notebooks")
    assert notebooks.beside(NAME) == own
    monkeypatch.chdir(project.parent)
    for named in (project, project / "project.yaml"):
        monkeypatch.setenv("LAB2LIVE_PROJECT", str(named))
        assert notebooks.beside(NAME) == own


def test_else_the_one_that_is_shipped(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    assert notebooks.beside(NAME) == notebooks.SHIPPED / NAME and (notebooks.SHIPPED / NAME).is_file()
    monkeypatch.chdir(project)
    assert notebooks.beside("portfolio.ipynb") == notebooks.SHIPPED / "portfolio.ipynb"
    (project / "project.yaml").unlink()
    assert notebooks.beside(NAME) == notebooks.SHIPPED / NAME, "a folder called notebooks makes no project"
