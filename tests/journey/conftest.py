"""Projects generated and run the way a user does it: commands typed in a folder, nothing imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*command: object, cwd: Path, expect: int = 0, **environment: str) -> str:
    """Run a command and give what it printed; an unexpected exit code fails the test with all of it."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LAB2LIVE_PROJECT")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == expect, f"exit code {done.returncode} of {command}:\n{done.stdout[-6000:]}"
    return done.stdout


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def newest_run(project: Path) -> Path:
    return project / "runs" / (project / "runs" / "latest").read_text(encoding="utf-8").strip()


def asked(*command: object, cwd: Path, **environment: str) -> list[Any]:
    """Start the page of the newest run and ask it every typical case; give the answers."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LAB2LIVE_PROJECT")}
    typed = [*map(str, command), "ask"]
    with subprocess.Popen(
        typed, cwd=cwd, env={**inherited, **environment}, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Open this page:").strip()
            with urllib.request.urlopen(f"{address}form", timeout=30) as answer:
                cases = json.load(answer)["cases"]
            answers = []
            for case in cases:
                body = json.dumps({"values": case["values"]}).encode()
                asking = urllib.request.Request(f"{address}explain", body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(asking, timeout=60) as answer:
                    answers.append(json.load(answer))
            return answers
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Generate a project from this checkout into an empty folder."""

    def bake(folder: Path | None = None, **answers: object) -> Path:
        folder = folder or tmp_path_factory.mktemp("user")
        before = set(folder.iterdir())
        options = ("--no-input", "--default-config")
        given = [f"{name}={value}" for name, value in answers.items()]
        call(sys.executable, "-m", "cookiecutter", *options, ROOT, *given, cwd=folder)
        (project,) = set(folder.iterdir()) - before
        return project

    return bake
