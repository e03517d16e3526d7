"""CI for real: a generated GitLab job on a fresh clone, where the data are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import newest_run

pytestmark = pytest.mark.slow  # a whole journey


def test_the_gitlab_job_of_a_project_whose_data_stay_at_home_runs_on_their_description(
    bake: Any, runner: Any, tmp_path: Path
) -> None:
    rows = [f"C{n},{n % 60 + 18},{['north', 'south'][n % 2]},{'yes' if n * 37 % 97 > 70 else 'no'}" for n in range(900)]
    table = tmp_path / "cases.csv"
    table.write_text("\n".join(["case,age,region,left", *rows]), encoding="utf-8")
    answers = {"data_source": "file", "data_path": table, "target": "left", "id_column": "case"}
    project = bake(**answers, project_name="Stay", ci="gitlab")
    table.unlink()
    job = runner(project).gitlab(project, "journey")
    assert job.is_green, job.log[-6000:]
    assert "NOT COMPARED: the references are about the real data" in job.log
    verdict = json.loads((newest_run(job.workspace) / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["run"]["stand_ins"] == ["cases"]
    assert verdict["decision"] in ("conditional", "no-go")
    assert [stage["status"] for stage in verdict["run"]["stages"]] == ["done"] * 5
    assert "runs/verdict.md" in job.uploads["runs/"]
    summary = (job.workspace / "runs/verdict.md").read_text(encoding="utf-8")
    assert "**On stand-in data (cases); on small samples (--smoke)**" in summary
