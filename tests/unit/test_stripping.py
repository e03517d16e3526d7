"""Notebooks as sources: what an interactive session leaves behind is gone, what somebody wrote stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lab2live.pipeline import stripping

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def worked_in() -> nbformat.NotebookNode:
    """A notebook as JupyterLab saves it after a session."""
    cell = nbformat.v4.new_code_cell("1 + 1  # ¼", execution_count=3, id="mine-01")
    cell.metadata = nbformat.from_dict({"tags": ["nbval-check-output"], "execution": {"iopub.status.busy": "now"}})
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=3)]
    injected = nbformat.v4.new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]})
    text = nbformat.v4.new_markdown_cell("# Prose", metadata={"scrolled": True}, id="mine-00")
    notebook = nbformat.v4.new_notebook(cells=[text, injected, cell])
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.12.4", "codemirror_mode": {"name": "ipython"}},
            "papermill": {"duration": 3},
            "authors": ["somebody"],
        }
    )
    return notebook


def test_what_a_session_leaves_behind_is_gone_and_the_rest_stays() -> None:
    found = nbformat.reads(stripping.stripped(nbformat.writes(worked_in())), as_version=4)
    assert [cell.id for cell in found.cells] == ["mine-00", "mine-01"]
    prose, code = found.cells
    assert (code.source, code.outputs, code.execution_count) == ("1 + 1  # ¼", [], None)
    assert (code.metadata, prose.metadata) == ({"tags": ["nbval-check-output"]}, {})
    assert found.metadata == {
        "authors": ["somebody"],
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stripping_is_what_jupyter_would_write_and_twice_is_once(path: Path) -> None:
    once = stripping.stripped(path.read_text(encoding="utf-8"))
    assert stripping.stripped(once) == once
    assert nbformat.writes(nbformat.reads(once, as_version=4)) + "\n" == once


@pytest.mark.parametrize("text", ["", "<<<<<<< ours\n{}", "[]", '{"cells": 1}', "3"])
def test_what_is_no_notebook_is_left_alone(text: str) -> None:
    assert stripping.stripped(text) == text


def test_as_a_command_it_strips_files_and_what_git_hands_it(tmp_path: Path) -> None:
    text = nbformat.writes(worked_in())
    (tmp_path / "a.ipynb").write_bytes(text.encode())
    script = [sys.executable, "-I", str(ROOT / "src/lab2live/pipeline/stripping.py")]
    said = [subprocess.run([*script, "a.ipynb"], cwd=tmp_path, capture_output=True, check=True).stdout for _ in "ab"]
    assert (b"stripped a.ipynb" in said[0], said[1]) == (True, b"")
    filtered = subprocess.run([*script, "-"], input=text.encode(), capture_output=True, check=True).stdout
    assert filtered == (tmp_path / "a.ipynb").read_bytes()
    assert json.loads(filtered)["cells"][1]["outputs"] == []


def test_a_mark_before_the_text_and_cells_without_metadata_are_no_obstacle(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": ["1"], "outputs": ["secret"], "execution_count": 1}]
    cells.append({**cells[0], "metadata": {"tags": None}})
    path = tmp_path / "odd.ipynb"
    path.write_text("\ufeff" + json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), encoding="utf-8")
    stripping.main([str(path)])
    assert "secret" not in path.read_text(encoding="utf-8")
