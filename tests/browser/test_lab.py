"""The notebooks in JupyterLab, as a data scientist opens them: Run All, wait, no error."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("01_eda.ipynb", "02_poc.ipynb", "03_explainability.ipynb", "04_handoff.ipynb")
IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on a copy of this checkout, reachable from this machine only."""
    home = tmp_path_factory.mktemp("lab")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    for room in ("src", "notebooks"):
        shutil.copytree(ROOT / room, home / room, ignore=ignored)
    (home / "template").mkdir()
    (home / "template" / "cookiecutter.json").touch()  # the mark of the template's own checkout
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.open_browser": False,
        "ServerApp.root_dir": home,
        "IdentityProvider.token": "",
        "LabApp.expose_app_in_browser": True,  # so that the test can ask what was executed
        "LabApp.news_url": "",
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--allow-root",
        *(f"--{key}={value}" for key, value in settings.items()),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(home / "src"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=2).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert server.poll() is None, (home / "log").read_text(encoding="utf-8")
                    time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(
    chromium: Any, lab: str, notebook: str, tmp_path: Path
) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    # a workspace of its own: JupyterLab reopens what was open in the last one
    page.goto(f"{lab}/lab/workspaces/{Path(notebook).stem}/tree/notebooks/{notebook}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    # a menu entry clicked before the kernel is there is ignored
    page.wait_for_function(f"() => {IDLE}", timeout=60_000)
    # what is shown must come from this run and not from the file
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """() => {
            const notebook = window.jupyterapp.shell.currentWidget;
            const cells = [...notebook.content.model.cells].filter(cell => cell.type === 'code');
            const failed = cells.some(cell => cell.outputs.toJSON().some(output => output.output_type === 'error'));
            return failed || (IDLE && cells.every(cell => cell.executionCount > 0));
        }""".replace("IDLE", IDLE),
        timeout=150_000,
    )
    page.screenshot(path=tmp_path / f"{notebook}.png")
    outputs = page.evaluate(
        """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
            .filter(cell => cell.type === 'code').flatMap(cell => cell.outputs.toJSON())"""
    )
    page.close()
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("What this stage" in str(output) or "Gates" in str(output) for output in outputs)
