"""The page in a real browser: what is asked is answered at once, by mouse, keyboard and on a phone."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from lab2live.serving import listening

CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("p, li span, label, h1, h2, h3, h4, button, dd, dt, strong")]
    .filter((element) => element.offsetParent && element.textContent.trim())
    .map((element) => {
      const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
      return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), element.textContent.trim().slice(0, 30)];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""


class Running:
    """A service in a thread of this process."""

    def __init__(self, made: Any, port: int = 0) -> None:
        config = uvicorn.Config(made, host="127.0.0.1", port=port, log_level="error")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        end = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < end, "the service did not start"
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def any_problem(request: pytest.FixtureRequest, bundled: Any) -> Iterator[str]:
    running = Running(listening.app(bundled(request.param).folder)[0])
    yield running.address
    running.stop()


@pytest.fixture(scope="module")
def address(bundled: Any) -> Iterator[str]:
    running = Running(listening.app(bundled("binary").folder)[0])
    yield running.address
    running.stop()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Any]:
    """Open the page; afterwards nothing may have gone wrong or gone elsewhere."""
    opened = []

    def open_page(address: str, width: int = 1280, height: int = 900, **how: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **how)
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on(
            "request", lambda request: None if request.url.startswith((address, "data:")) else wrong.append(request.url)
        )
        opened.append((context, wrong))
        page.goto(address)
        page.locator("#reasons li").first.wait_for()
        settled(page)
        return page

    yield open_page
    for context, wrong in opened:
        context.close()
        assert not wrong


def settled(page: Any) -> None:
    page.wait_for_timeout(200)  # longer than the quiet that the page waits for
    page.locator("#results:not([aria-busy])").wait_for()


def said(page: Any) -> str:
    return str(page.locator("#said").inner_text())


def test_the_first_case_is_answered_on_opening(visit: Any, any_problem: str) -> None:
    page = visit(any_problem)
    assert page.locator("h1").inner_text() == "Who <i>leaves</i>?"
    assert any(letter.isdigit() for letter in said(page))
    assert "With 90% confidence" in page.locator("#set").inner_text()
    assert page.locator("#reasons li").count() >= 5
    assert page.locator("#flips li, #no-flips:visible").count() >= 1
    before = said(page)
    page.get_by_label("Start from").select_option(index=2)
    settled(page)
    assert said(page) != before


def test_a_change_is_answered_at_once_and_can_be_taken_back(visit: Any, address: str) -> None:
    page = visit(address)
    before = said(page)
    page.get_by_label("bill").fill("12")
    page.locator("#was", has_text=before).wait_for(timeout=1_000)
    settled(page)
    assert before in page.locator("#was").inner_text() and said(page) in page.locator("#was").inner_text()
    assert page.locator("#changed").inner_text() == "1 field changed"
    assert "changed, was" in page.locator(".field.differs .note").inner_text()
    page.get_by_role("button", name="Back to the chosen case").click()
    settled(page)
    assert said(page) == before and page.locator(".field.differs").count() == 0
    assert page.evaluate("document.activeElement.id") == "pick"


def test_a_proposed_change_is_filled_in_and_flips_the_output(visit: Any, address: str) -> None:
    page = visit(address)
    before = page.locator("#output").inner_text()
    page.get_by_role("button", name="Try this change").first.click()
    settled(page)
    assert page.locator("#output").inner_text() != before
    assert page.locator(".field.differs").count() >= 1
    assert page.evaluate("document.activeElement.id") == "results"


def test_derived_columns_follow(visit: Any, address: str) -> None:
    page = visit(address)
    page.get_by_label("lines").fill("4")
    settled(page)
    assert page.locator("output").inner_text() == "48"


def test_an_older_answer_never_overwrites_a_newer_one(visit: Any, address: str) -> None:
    page = visit(address)
    page.get_by_label("bill").fill("100")
    settled(page)
    wanted = said(page)
    slow = {"left": 1}

    def delay(route: Any) -> None:
        if slow["left"]:
            slow["left"] = 0
            time.sleep(0.6)
        route.continue_()

    page.route("**/explain", delay)
    page.get_by_label("bill").fill("10")
    page.wait_for_timeout(160)
    page.get_by_label("bill").fill("100")
    page.wait_for_timeout(1_500)
    assert said(page) == wanted


def test_what_cannot_be_is_said_at_its_field_and_the_focus_stays(visit: Any, address: str) -> None:
    page = visit(address)
    field = page.get_by_label("lines")
    field.fill("")
    settled(page)
    assert "This has to be known" in page.locator(".field.wrong .note").inner_text()
    assert field.get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == field.get_attribute("id")
    assert "A person decides" in page.locator("#fallback").inner_text()
    assert not page.locator("#detail").is_visible() and not page.locator("#answer").is_visible()
    field.fill("3")
    settled(page)
    assert page.locator(".field.wrong").count() == 0 and page.locator("#detail").is_visible()


def test_a_strange_case_is_named_and_the_fallback_steps_in(visit: Any, address: str) -> None:
    page = visit(address)
    page.get_by_label("bill").fill("5000")
    settled(page)
    assert "bill is 5,000" in page.locator("#strange").inner_text()
    assert "Today's business rule decides: 'yes'" in page.locator("#fallback").inner_text()
    assert "steps-in" in page.locator("#fallback").get_attribute("class")


def test_a_service_that_goes_and_comes_back_loses_nothing(visit: Any, bundled: Any) -> None:
    running = Running(listening.app(bundled("binary").folder)[0])
    page = visit(running.address)
    running.stop()
    page.get_by_label("bill").fill("33")
    page.locator("#trouble:visible").wait_for()
    assert (
        "does not answer" in page.locator("#trouble").inner_text() and page.get_by_label("bill").input_value() == "33"
    )
    again = Running(listening.app(bundled("binary").folder)[0], running.port)
    page.get_by_role("button", name="Try again").click()
    page.locator("#trouble").wait_for(state="hidden")
    assert page.get_by_label("bill").input_value() == "33" and "→" in page.locator("#was").inner_text()
    again.stop()


def test_hostile_names_and_values_are_text(visit: Any, address: str) -> None:
    page = visit(address)
    field = page.get_by_label("<b>kind</b>")
    field.select_option("<script>alert(1)</script>")
    settled(page)
    assert page.locator("b, i, #main script, #main img").count() == 0
    assert "<script>alert(1)</script>" in page.locator("#main").inner_text()


def test_the_keyboard_is_enough(visit: Any, address: str) -> None:
    page = visit(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "jump"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pick"
    before = said(page)
    page.keyboard.press("ArrowDown")
    settled(page)
    assert said(page) != before
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.type"))
        if reached[-1] == "Try this change":
            break
    assert reached[-1] == "Try this change" and "range" not in reached
    output = page.locator("#output").inner_text()
    page.keyboard.press("Enter")
    settled(page)
    assert page.locator("#output").inner_text() != output


@pytest.mark.parametrize("width", [320, 400])
def test_on_a_phone_nothing_hides_beyond_the_edge(visit: Any, address: str, width: int) -> None:
    page = visit(address, width, 700)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#bar").is_visible() and said(page) in page.locator("#bar").inner_text()
    page.get_by_label("bill").fill("12")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said(page) in page.locator("#bar").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_can_be_read(visit: Any, any_problem: str, scheme: str) -> None:
    page = visit(any_problem, color_scheme=scheme)
    page.get_by_label("bill").fill("5000")
    settled(page)
    nameless = page.evaluate(
        "[...document.querySelectorAll('input:not([aria-hidden]), select, button')]"
        ".filter((one) => one.offsetParent && !(one.labels?.length || one.textContent.trim())).length"
    )
    assert nameless == 0
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].filter((h) => h.offsetParent).map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate(CONTRAST) == []
    assert page.locator("[role=status]").inner_text().startswith(said(page))


def test_three_hundred_fields_stay_usable(visit: Any, address: str, chromium: Any) -> None:
    import json

    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()

    def many(route: Any) -> None:
        form = route.fetch().json()
        more = [{"name": f"column {n}", "kind": "number", "unit": "", "low": 0, "high": 9, "whole": True,
                 "optional": True, "locked": ""} for n in range(300)]  # fmt: skip
        route.fulfill(body=json.dumps({**form, "fields": [*form["fields"], *more]}), content_type="application/json")

    def known_alone(route: Any) -> None:  # the service does not know the others
        values = json.loads(route.request.post_data)["values"]
        kept = {name: value for name, value in values.items() if not name.startswith("column ")}
        route.continue_(post_data=json.dumps({"values": kept}))

    page.route("**/form", many)
    page.route("**/explain", known_alone)
    page.goto(address)
    page.get_by_label("Find a field").fill("column 277")
    assert page.locator(".field:visible").count() == 1 and page.get_by_label("column 277").is_visible()
    page.get_by_label("Find a field").fill("")
    page.locator("#more summary").click()
    assert page.locator("#fields .field:visible").count() == 12
    context.close()
