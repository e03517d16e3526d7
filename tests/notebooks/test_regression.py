"""nbval has to notice: one number computed wrongly in a room must fail that room's notebook."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# room -> its notebook, a module of the room, and one computation in it, right and wrong
MUTATIONS = {
    "eda": (
        "01_eda.ipynb",
        "eda/checks/missing.py",
        "share = gaps / survey.rows",
        "share = gaps / (survey.rows - 500)",
    ),
    "poc": ("02_poc.ipynb", "data/intervals.py", "float(scores.mean())", "float(scores.mean() + 0.004)"),
    "explainability": (
        "03_explainability.ipynb",
        "explainability/why/importance.py",
        '"mean": size.mean(axis=0)',
        '"mean": 1.1 * size.mean(axis=0)',
    ),
    "handoff": ("04_handoff.ipynb", "handoff/contract.py", "float(known.mean())", "float(known.mean() + 0.02)"),
    "portfolio": (
        "portfolio.ipynb",
        "portfolio/chances.py",
        "np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * random",
        "np.sqrt(correlation) * shared + (1 - correlation) * random",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("room", MUTATIONS)
def test_a_wrong_number_in_a_room_fails_its_notebook(room, tmp_path):
    notebook, module, right, wrong = MUTATIONS[room]
    shutil.copytree(ROOT / "src" / "lab2live", tmp_path / "src" / "lab2live", ignore=shutil.ignore_patterns("*.pyc"))
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / notebook, tmp_path / "notebooks")
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "cookiecutter.json").touch()  # so that the copy counts as the template's own checkout
    source = tmp_path / "src" / "lab2live" / module
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1, f"{module} no longer says `{right}`: choose another computation"
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    options = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "120", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, f"notebooks/{notebook}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-3000:]
    assert "Cell outputs differ" in done.stdout, f"it failed for another reason:\n{done.stdout[-3000:]}"
