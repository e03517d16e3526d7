"""CI for real: the generated GitHub workflow of the demo, executed step by step on a fresh clone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Job, git, newest_run

pytestmark = pytest.mark.slow  # a whole journey


@pytest.fixture(scope="module")
def executed(bake: Any, runner: Any) -> tuple[Any, Job]:
    """The runner and what it did, with the project's own environment."""
    project = bake()
    # The journey's tests record all references again and find no byte changed; one shows that the step compares.
    for reference in (project / "tests/reference").glob("0*.ipynb"):
        reference.unlink()
    # cruft writes down the commit of the template, which looks like a secret
    (project / ".cruft.json").write_text(json.dumps({"commit": "1f8ac10f23c5b5bc1167bda84b833e5c057a77d2"}))
    git("add", "--all", cwd=project)
    git("commit", "--quiet", "--all", "--message=fewer", cwd=project)
    machine = runner(project)
    return machine, machine.github(project, "ci.yml")


def test_the_workflow_of_the_demo_is_green_and_shows_the_verdict(executed: tuple[Any, Job]) -> None:
    _, job = executed
    assert set(job.steps.values()) == {"success"}, job.log[-6000:]
    assert job.summary.startswith("## Telecom churn: ")
    assert "About the simulated demo; on small samples" in job.summary
    verdict = json.loads((newest_run(job.workspace) / "verdict.json").read_text(encoding="utf-8"))
    assert all(gate["title"] in job.summary for gate in verdict["gates"])
    assert [stage["status"] for stage in verdict["run"]["stages"]] == ["done"] * 5
    assert verdict["run"]["smoke"] is True
    assert any("--smoke" in reason for reason in verdict["reasons"])
    assert "portfolio.ipynb" in job.log, "the reference that is left was compared"


def test_the_pages_of_the_run_are_kept(executed: tuple[Any, Job]) -> None:
    names = {Path(name).name for name in executed[1].uploads["run"]}
    assert {"index.html", "verdict.json", "01_eda.html", "04_handoff.html", "latest"} <= names


def test_before_a_commit_secrets_and_large_files_are_refused_and_notebooks_stripped(executed: tuple[Any, Job]) -> None:
    machine, job = executed
    secret = "".join(("hunter2", "hunter2"))
    (job.workspace / "src/telecom_churn/more.py").write_text(f'PASSWORD = "{secret}"\n', encoding="utf-8")
    (job.workspace / "big.bin").write_bytes(b"x" * 2_000_000)
    notebook = job.workspace / "notebooks/portfolio.ipynb"
    before = notebook.read_text(encoding="utf-8")
    ran = json.loads(before)
    next(cell for cell in ran["cells"] if cell["cell_type"] == "code")["execution_count"] = 1
    notebook.write_text(json.dumps(ran), encoding="utf-8")
    script = "make hooks && git add --all && git -c user.name=T -c user.email=t@example.org commit --message=all"
    log = len(job.log)
    assert machine.script(script, job, machine.environment({})) == "failure"
    said = job.log[log:]
    assert "big.bin (1954 KB) exceeds 1000 KB" in said
    assert "src/telecom_churn/more.py:1" in said and secret not in said
    # the commit was refused as a whole, but what git took of the notebook has no outputs
    log = len(job.log)
    assert machine.script("git diff --cached --name-only", job, machine.environment({})) == "success"
    assert job.log[log:].splitlines()[1:] == ["big.bin", "src/telecom_churn/more.py"]
    assert notebook.read_text(encoding="utf-8") != before
    assert said.count("Failed\n") >= 2
