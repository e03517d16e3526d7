"""The service does what its description says, whatever it is sent: every check, five hundred examples per operation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "own_code"), [("binary", True), ("regression", False)])
def test_every_operation_keeps_its_description(bundled: Any, tmp_path: Path, problem: str, own_code: bool) -> None:
    folder = bundled(problem, own_code=own_code).folder
    command = [
        sys.executable,
        "-m",
        "lab2live",
        "serve",
        str(folder),
        "--port",
        "0",
        "--state",
        str(tmp_path / "state"),
    ]
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Open this page:").strip()
            asking = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}openapi.json"]
            options = ["--checks", "all", "--max-examples", "500", "--phases", "coverage,fuzzing"]
            done = subprocess.run(
                [*asking, *options, "--generation-deterministic", "--no-color"],
                capture_output=True, text=True, check=False, cwd=tmp_path,
            )  # fmt: skip
        finally:
            process.terminate()
            process.wait(20)
    said = "\n".join(line[:300] for line in f"{done.stdout}\n{done.stderr}".splitlines())
    assert done.returncode == 0, said[-6000:]
    assert "Tested: 10" in done.stdout
    assert "Traceback" not in (tmp_path / "log").read_text()
