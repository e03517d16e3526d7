"""What makes a job red, and what not: the steps of generated workflows, executed with programs that only take notes."""

from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from .conftest import Job, git

PROGRAM = """\
#!/usr/bin/env bash
# stands for a program of the environment: notes how it was called, and `run` and `monitor` end as `code` says
root=$(cd "$(dirname "$0")/../.." && pwd)
echo "$(basename "$0") $*" >> "$root/calls"
if [ "$1" = monitor ]; then mkdir -p "$5" && echo page > "$5/05_monitoring.html"; fi
if [ "$1" = run ]; then mkdir -p "$root/runs/1" && echo page > "$root/runs/1/index.html"; fi
if [ "$1" = verdict ]; then echo "## the verdict"; fi
case "$(basename "$0") $1" in "lab2live run" | "lab2live monitor") exit "$(cat "$root/code")" ;; esac
"""


def quick(bake: Any, code: int, **answers: object) -> Path:
    """A project whose environment is there already: its programs only note that they were called."""
    project = bake(**answers)
    for name in ("lab2live", "python", "pre-commit"):
        program = project / ".venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PROGRAM, encoding="utf-8")
        program.chmod(0o755)
    makefile = project / "Makefile"
    text = makefile.read_text(encoding="utf-8")
    makefile.write_text(text.replace("env: .venv/installed", "env:"), encoding="utf-8")
    (project / "code").write_text(str(code), encoding="utf-8")
    git("add", "--all", "--force", cwd=project)
    git("commit", "--quiet", "--message=quick", cwd=project)
    return project


def calls(job: Job) -> list[str]:
    return (job.workspace / "calls").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("code", "green"), [(0, True), (2, True), (1, False)])
def test_a_no_go_is_reported_and_not_red_but_a_broken_notebook_is(
    bake: Any, runner: Any, code: int, green: bool
) -> None:
    project = quick(bake, code)
    job = runner(project, False).github(project, "ci.yml")
    assert job.is_green is green, job.log
    assert job.summary == "## the verdict\n", "it is shown in any case"
    assert job.uploads["run"] == ["runs/1/index.html"]
    assert "lab2live run --smoke --keep-going" in calls(job)


MONITORED = {"MONITOR_BUNDLE": "live/bundle", "MONITOR_BATCH": "live/$(touch hacked) batch.csv"}


@pytest.mark.parametrize("variables", [{}, {"MONITOR_BUNDLE": "live/bundle"}])
def test_monitoring_without_a_batch_is_green_and_says_what_to_set(bake: Any, runner: Any, variables: Any) -> None:
    project = quick(bake, 0)
    job = runner(project, False).github(project, "monitoring.yml", variables)
    assert [*job.steps.values()] == ["success", "skipped", "skipped", "skipped", "skipped"]
    assert "MONITOR_BUNDLE and MONITOR_BATCH" in job.summary


@pytest.mark.parametrize(("code", "green"), [(0, True), (2, False), (1, False)])
def test_monitoring_turns_red_on_an_alert_and_keeps_its_page(bake: Any, runner: Any, code: int, green: bool) -> None:
    project = quick(bake, code)
    job = runner(project, False).github(project, "monitoring.yml", MONITORED)
    assert job.is_green is green, job.log
    assert ("An alert needs somebody now" in job.log) is ("An alert" in job.summary) is (code == 2)
    assert job.uploads["monitoring"] == ["monitoring/05_monitoring.html"]
    assert f"lab2live monitor live/bundle {MONITORED['MONITOR_BATCH']} --out monitoring" in calls(job)
    assert not (job.workspace / "hacked").exists()


def test_monitoring_on_gitlab_is_the_same_script(bake: Any, runner: Any) -> None:
    project = quick(bake, 2, ci="gitlab")
    job = runner(project, False).gitlab(project, "monitoring", MONITORED)
    assert not job.is_green
    assert job.uploads["monitoring/"] == ["monitoring/05_monitoring.html"]
    nothing = runner(project, False).gitlab(project, "monitoring")
    assert nothing.is_green
    assert "Nothing was monitored" in nothing.log


def test_a_bundle_and_a_batch_are_fetched_from_their_addresses(bake: Any, runner: Any, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "batch.csv").write_text("a\n1\n", encoding="utf-8")
    with zipfile.ZipFile(served / "bundle.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        project = quick(bake, 0)
        variables = {"MONITOR_BUNDLE": f"{address}/bundle.zip?sig=1", "MONITOR_BATCH": f"{address}/batch.csv"}
        job = runner(project, False).github(project, "monitoring.yml", variables)
        gone = runner(project, False).github(
            project, "monitoring.yml", {**variables, "MONITOR_BATCH": f"{address}/no.csv"}
        )
        server.shutdown()
    assert job.is_green, job.log
    (monitored,) = calls(job)
    assert [Path(word).name for word in monitored.split()[2:4]] == ["bundle.zip", "batch.csv"]
    assert not gone.is_green, "and a batch that is not there is no green monitoring"
