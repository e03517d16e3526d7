"""A runner for CI files: their steps, in order, as GitHub or GitLab would execute them, on a fresh clone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# What a runner has in its environment; everything else of the developer's machine stays outside.
KEPT = re.compile(r"PATH|LANG|LC_.*|TMPDIR|SSL_.*|.*_PROXY|.*_proxy|PIP_.*|UV_.*|XDG_.*|OPENBLAS_.*")
# Functions and operators of GitHub's expressions that the workflows use, in the words of Python.
WORDS = {"&&": " and ", "||": " or ", "!cancelled()": "True", "always()": "True"}


def git(*arguments: object, cwd: Path) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *map(str, arguments)], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Generate a project from this checkout and commit it."""

    def bake(**answers: object) -> Path:
        folder = tmp_path_factory.mktemp("user")
        given = [f"{name}={value}" for name, value in answers.items()]
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config", str(ROOT), *given]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        (project,) = folder.iterdir()
        git("init", "--quiet", "--initial-branch=main", cwd=project)
        git("add", "--all", cwd=project)
        git("commit", "--quiet", "--message=baked", cwd=project)
        return project

    return bake


@dataclass
class Job:
    """What a job did.

    Attributes
    ----------
    workspace
        The clone in which it ran.
    steps
        Name or command of every step -> `success`, `failure` or `skipped`.
    log
        What the steps printed.
    summary
        What they wrote to the job's summary.
    uploads
        Name of every uploaded artefact -> the files in it.
    """

    workspace: Path
    steps: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    uploads: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_green(self) -> bool:
        return "failure" not in self.steps.values()


@dataclass
class Runner:
    """Executes jobs; what its own environment holds is what a fresh machine would."""

    work: Path
    python: Path  # of `setup-python`
    install: Callable[[Path], Path] | None = None

    def environment(self, more: Mapping[str, Any]) -> dict[str, str]:
        """Give what the steps see: a home of their own, and the Python that was set up in front of all others."""
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        home = self.work / "home"
        home.mkdir(exist_ok=True)
        kept |= {"HOME": str(home), "CI": "true", "PATH": f"{self.python}{os.pathsep}{kept['PATH']}"}
        # packages that were downloaded before need not come again
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        kept |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(cache / "uv"))}
        kept |= {"PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(cache / "pip"))}
        config = Path.home() / ".config"
        if config.is_dir() and "XDG_CONFIG_HOME" not in kept:  # where pip and uv find the user's own index
            kept["XDG_CONFIG_HOME"] = str(config)
        return kept | {name: str(value) for name, value in more.items()}

    def clone(self, job: Job) -> None:
        """Clone the project; where an environment is given, `make env` finds its work done."""
        git("clone", "--quiet", self.work / "origin", job.workspace, cwd=self.work)
        if self.install is not None:
            self.install(job.workspace)

    def github(self, project: Path, workflow: str, variables: Mapping[str, str] | None = None) -> Job:
        """Execute the one job of a workflow.

        `uses:` steps become what they stand for here: checkout is a clone, setup-python is the interpreter of these
        tests, upload-artifact looks whether the files are there. Anything else fails the test.
        """
        described = yaml.safe_load((project / ".github/workflows" / workflow).read_text(encoding="utf-8"))
        (content,) = described["jobs"].values()
        job = Job(self.work / "workspace")
        job.workspace.mkdir()
        files = {name: self.work / name.lower() for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV")}
        for file in files.values():
            file.touch()
        known: dict[str, Any] = {"vars": dict(variables or {}), "env": {}, "steps": {}}
        known["env"] = {name: evaluate(str(value), known) for name, value in content.get("env", {}).items()}
        environment = self.environment({**known["env"], **files, "GITHUB_ACTIONS": "true"})
        for step in content["steps"]:
            name = step.get("name") or step.get("uses") or step["run"]
            condition = step.get("if", "success()").replace("${{", "").replace("}}", "")
            wanted = bool(expression(condition, known)) if "success()" not in condition else True
            # without a word about it, a step after a failed one is skipped
            if not job.is_green and "cancelled()" not in condition and "always()" not in condition:
                wanted = False
            outcome = self._step(step, job, environment) if wanted else "skipped"
            job.steps[name] = outcome
            if "id" in step:
                known["steps"][step["id"]] = {"outcome": outcome}
        job.summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        return job

    def _step(self, step: Mapping[str, Any], job: Job, environment: Mapping[str, str]) -> str:
        if "run" in step:
            assert "shell" not in step and "working-directory" not in step
            return self.script(step["run"], job, environment)
        action, _, _ = step["uses"].partition("@")
        if action == "actions/checkout":
            self.clone(job)
        elif action == "actions/upload-artifact":
            found = [path for pattern in step["with"]["path"].split() for path in upload(job.workspace, pattern)]
            job.uploads[step["with"]["name"]] = found
            assert found or not job.is_green, "nothing to upload, though all went well"
        else:
            assert action == "actions/setup-python", f"nobody here knows {action}"
            assert step["with"]["python-version"] in ("3.11", "3.12", "3.13")
        return "success"

    def script(self, text: str, job: Job, environment: Mapping[str, str]) -> str:
        """Execute a script with the shell that GitHub takes for `run`."""
        file = self.work / "script.sh"
        file.write_text(text, encoding="utf-8")
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(file)]
        done = subprocess.run(
            command,
            cwd=job.workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        job.log += f"$ {text}\n{done.stdout}"
        return "failure" if done.returncode else "success"

    def gitlab(self, project: Path, name: str, variables: Mapping[str, str] | None = None) -> Job:
        """Execute one job of `.gitlab-ci.yml`: `script` in one shell, then `after_script` whatever happened."""
        described = yaml.safe_load((project / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        content = described[name]
        job = Job(self.work / "workspace")
        self.clone(job)
        environment = self.environment({**content.get("variables", {}), **(variables or {}), "GITLAB_CI": "true"})
        lines = [*described["default"].get("before_script", []), *content["script"]]
        job.steps["script"] = self.script("\n".join(lines), job, environment)
        for line in content.get("after_script", []):
            self.script(line, job, environment)
        for pattern in content["artifacts"]["paths"]:
            job.uploads[pattern] = upload(job.workspace, pattern)
        return job


def upload(workspace: Path, pattern: str) -> list[str]:
    """List what an artefact would hold: hidden files stay out."""
    found = [path for path in (workspace / pattern).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(path.relative_to(workspace).as_posix() for path in found)


def evaluate(text: str, known: Mapping[str, Any]) -> str:
    """Fill in the expressions of a text."""
    return re.sub(r"\$\{\{(.+?)\}\}", lambda found: str(expression(found[1], known)), text)


def expression(text: str, known: Mapping[str, Any]) -> Any:
    """Evaluate what the workflows use of GitHub's expressions: contexts, comparisons, and, or, not."""
    for word, python in WORDS.items():
        text = text.replace(word, python)
    context = r"\b(vars|env|steps)((?:\.[A-Za-z_]\w*)+)"

    def value(found: re.Match[str]) -> str:
        there: Any = known[found[1]]
        for name in found[2].split(".")[1:]:
            there = there.get(name, "")
        return repr(there)

    return eval(re.sub(context, value, text.strip()), {"__builtins__": {}})


def newest_run(workspace: Path) -> Path:
    return workspace / "runs" / (workspace / "runs/latest").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="session")
def runner(
    tmp_path_factory: pytest.TempPathFactory, environment: Callable[[Path], Path]
) -> Callable[[Path, bool], Runner]:
    """A runner that clones from a bare copy of a project, as a server would hold it."""

    def runner(project: Path, installed: bool = True) -> Runner:
        work = tmp_path_factory.mktemp("runner")
        git("clone", "--quiet", "--bare", project, work / "origin", cwd=work)
        python = work / "python"
        python.mkdir()
        for name in ("python", "python3"):
            (python / name).symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        return Runner(work, python, environment if installed else None)

    return runner
