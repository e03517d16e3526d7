"""The page on which a person decides: what came is text, a name is needed, and a decision is kept."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab2live.serving import listening

from .test_page import Running


def post(address: str, values: dict[str, Any]) -> None:
    body = json.dumps({"values": values}).encode()
    request = urllib.request.Request(f"{address}predict", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="422"):
        urllib.request.urlopen(request, timeout=20)


def test_a_person_decides(bundled: Any, tmp_path: Path, chromium: Any) -> None:
    running = Running(listening.app(bundled("binary").folder, listening.Settings(tmp_path))[0])
    case = {
        "bill": "a lot",
        "lines": 2,
        "contract": "<img src=x>",
        "<b>kind</b>": None,
        "since": "2021-05-01",
        "age": 40,
    }
    post(running.address, case)
    post(running.address, {**case, "bill": "more"})
    page = chromium.new_page(viewport={"width": 400, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{running.address}review")
    page.get_by_role("heading", name="Case 2").wait_for()
    assert page.locator("#waiting").inner_text() == "2 cases wait."
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.locator("#cases img, #cases b").count() == 0 and "<img src=x>" in page.locator("#cases").inner_text()
    page.get_by_role("button", name="Decide 'yes'").first.click()
    page.locator("#trouble:visible").wait_for()
    assert "name is needed" in page.locator("#trouble").inner_text()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Decide 'yes'").first.click()
    page.get_by_text("1 case waits.").wait_for()
    with urllib.request.urlopen(f"{running.address}review/cases/1", timeout=20) as answer:
        found = json.load(answer)
    assert (found["output"], found["who"]) == ("yes", "Ada") and not said
    page.close()
    running.stop()


def test_a_person_decides_by_a_number(bundled: Any, tmp_path: Path, chromium: Any) -> None:
    running = Running(listening.app(bundled("regression").folder, listening.Settings(tmp_path))[0])
    post(running.address, {"bill": "a lot", "lines": 2, "contract": "monthly", "<b>kind</b>": None,
                           "since": "2021-05-01", "age": 40})  # fmt: skip
    page = chromium.new_page()
    page.goto(f"{running.address}review")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your decision").fill("1234567.891")
    page.get_by_role("button", name="Decide", exact=True).click()
    page.get_by_text("No case waits.").wait_for()
    with urllib.request.urlopen(f"{running.address}review/cases/1", timeout=20) as answer:
        assert json.load(answer)["output"] == 1234567.891
    page.close()
    running.stop()
