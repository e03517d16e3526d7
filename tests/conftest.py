"""What all tests share."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

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
