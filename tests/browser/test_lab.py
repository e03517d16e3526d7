"""The notebooks in JupyterLab, as a data scientist opens them: Run All, wait, no error."""

from __future__ import annotations

import contextlib
import os
import re
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
    """JupyterLab on a copy of this checkout."""
    home = tmp_path_factory.mktemp("lab")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    for room in ("src", "notebooks"):
        shutil.copytree(ROOT / room, home / room, ignore=ignored)
    shutil.copyfile(ROOT / "requirements.lock", home / "requirements.lock")  # a bundle says what it needs
    (home / "template").mkdir()
    (home / "template" / "cookiecutter.json").touch()  # the mark of the template's own checkout
    with serving(home, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@contextlib.contextmanager
def serving(home: Path, own: Path, **more: str) -> Iterator[str]:
    """Serve a folder, reachable from this machine only; what Jupyter keeps for itself goes into another one."""
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
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        **more,
    }
    with (own / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=2).close()
                    break
                except (urllib.error.URLError, OSError):
                    assert server.poll() is None, (own / "log").read_text(encoding="utf-8")
                    time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(
    chromium: Any, lab: str, notebook: str, tmp_path: Path
) -> None:
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    # a workspace of its own: JupyterLab reopens what was open in the last one
    page.goto(f"{lab}/lab/workspaces/{Path(notebook).stem}/tree/notebooks/{notebook}")
    outputs = run_all(page)
    page.screenshot(path=tmp_path / f"{notebook}.png")
    page.close()
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("What this stage" in str(output) or "Gates" in str(output) for output in outputs)


def run_all(page: Any) -> list[Any]:
    """Run the notebook that is open from top to bottom by the menu, and give what it shows then."""
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
    found: list[Any] = page.evaluate(
        """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
            .filter(cell => cell.type === 'code').flatMap(cell => cell.outputs.toJSON())"""
    )
    return found


@pytest.mark.slow
def test_a_generated_project_opens_on_its_readme_and_running_a_notebook_is_no_change(
    chromium: Any, tmp_path: Path
) -> None:
    project = baked(tmp_path)
    (settings,) = re.findall(r"JUPYTER_CONFIG_PATH=(\S+)", (project / "Makefile").read_text(encoding="utf-8"))
    (tmp_path / "jupyter").mkdir()
    with serving(project, tmp_path / "jupyter", JUPYTER_CONFIG_PATH=settings) as lab:
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(lab)
        link = page.locator(".jp-RenderedMarkdown a", has_text="01 EDA")
        link.wait_for(timeout=60_000)
        page.screenshot(path=tmp_path / "landing.png")
        link.click()
        outputs = run_all(page)
        page.screenshot(path=tmp_path / "notebook.png")
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        saved = project / "notebooks" / "01_eda.ipynb"
        for _ in range(100):
            if '"output_type"' in saved.read_text(encoding="utf-8"):
                break
            time.sleep(0.1)
        page.close()
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert "Every number here is about a simulated telecom company" in str(outputs)
    assert '"execution_count": 1' in saved.read_text(encoding="utf-8")
    assert git(project, "diff") == ""
    git(project, "add", "--all")
    assert git(project, "status", "--porcelain") == ""


def baked(folder: Path) -> Path:
    """The demo project in a git repository that has the filter of `make hooks`."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config", "-o", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    project = folder / "telecom-churn"
    makefile = (project / "Makefile").read_text(encoding="utf-8").replace("$(CURDIR)/$(BIN)/python", sys.executable)
    (cleaning,) = re.findall(r"git config (filter\S+) \"(.+)\"$", makefile, re.MULTILINE)
    git(project, "init", "--quiet")
    git(project, "config", *cleaning)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=baked")
    return project


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True, text=True)
    return done.stdout
