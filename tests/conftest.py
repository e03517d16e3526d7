"""What all tests share."""

import os
import shutil
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Two workers with a thread per core each wait for one another longer than they work; set before numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

# On a server a red test must mean a change, not a new random draw; at home the search goes on.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI") or os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser, or a loud skip: a failure where LAB2LIVE_REQUIRE_ALL=1 says that nothing may be left out."""

    def give_up(reason: str) -> None:
        if os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
            pytest.fail(f"LAB2LIVE_REQUIRE_ALL=1, but {reason}")
        pytest.skip(f"pages were NOT looked at: {reason}")

    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        give_up("the Python package playwright is missing")
    binary = os.environ.get("LAB2LIVE_CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            give_up(
                f"no Chromium starts: {error.message.splitlines()[0]}; install one, or name it in LAB2LIVE_CHROMIUM"
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def environment() -> Callable[[Path], Path]:
    """Give a project its `.venv` within a second: its own wheel, and the packages of the environment of these tests.

    `make env` takes it for finished. What it installs for real is tested once, in tests/bake/test_environment.py.
    """

    def environment(project: Path) -> Path:
        here, home = Path(sys.prefix), project / ".venv"
        venv.create(home, with_pip=False, symlinks=os.name != "nt")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
        (wheel,) = (project / "vendor").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        (site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        (home / "share").symlink_to(here / "share")  # where nbconvert has its templates
        scripts = home / ("Scripts" if os.name == "nt" else "bin")
        for name, module in {
            "lab2live": "lab2live",
            "pre-commit": "pre_commit",
            "jupyter": "jupyter_core",
            "papermill": "papermill",
        }.items():
            script = scripts / name
            script.write_text(f'#!/bin/sh\nexec "{scripts}/python" -m {module} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
        (scripts / "uv").symlink_to(here / scripts.name / "uv")
        (home / "installed").write_text(f"{project}\n", encoding="utf-8")
        return scripts

    return environment
