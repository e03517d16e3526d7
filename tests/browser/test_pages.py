"""The pages of a run in a real browser: they read well, work offline, and defuse what data holds."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest
from PIL import Image

from lab2live.reporting import display, html

from .conftest import GATES, HOSTILE, RUNS, notebook

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
PICTURES = "[...document.images].map(i => [i.alt, i.complete && i.naturalWidth > 0])"
NAMELESS = "[...document.links].filter(a => !a.textContent.trim() && !a.querySelector('img[alt]')).length"
# Text a reader cannot get at, such as a block pushed out of the window.
OUTSIDE = """[...document.querySelectorAll('main h2, main h3, main p, main li, main img, .chip')].filter(e => {
  const {width, left, right} = e.getBoundingClientRect();
  return !e.closest('details, [tabindex]') && (width === 0 || left < 0 || right > innerWidth);
}).map(e => e.outerHTML.slice(0, 120))"""
DEAD_ANCHORS = (
    "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).map(a => a.hash)"
)
# The lowest contrast of any text with what is painted behind it (WCAG 2 asks for 4.5).
CONTRAST = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c;
  } return [255, 255, 255]; };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
  }
  return worst;
}"""


def check(seen: Any, pictures_load: bool = True) -> None:
    """What holds for every page, on a phone and on a desk, light and dark."""
    for width, scheme in [(1600, "light"), (400, "light"), (400, "dark"), (320, "dark")]:
        seen.page.set_viewport_size({"width": width, "height": 900})
        seen.page.emulate_media(color_scheme=scheme)
        assert seen.page.evaluate(OVERFLOW) <= 0, f"wider than {width} px"
        assert seen.page.evaluate(OUTSIDE) == [], f"outside of {width} px"
        ratio, where = seen.page.evaluate(CONTRAST)
        assert ratio >= 4.5, f"contrast {ratio:.1f} in {scheme}: {where}"
    levels = seen.page.evaluate(HEADINGS)
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels
    assert all(words and (loaded or not pictures_load) for words, loaded in seen.page.evaluate(PICTURES))
    assert seen.page.evaluate(NAMELESS) == 0
    assert seen.page.evaluate(DEAD_ANCHORS) == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    assert seen.console == []


@pytest.mark.parametrize("name", ["index", "01_eda", "02_poc"])
@pytest.mark.parametrize("kind", RUNS)
def test_every_page_reads_well(runs: Any, visit: Any, kind: str, name: str) -> None:
    check(visit(runs(kind) / f"{name}.html"))


@pytest.mark.parametrize("kind", RUNS)
def test_the_index_leads_with_the_decision_in_words(runs: Any, visit: Any, kind: str) -> None:
    seen = visit(runs(kind) / "index.html", 400)
    box = seen.page.locator("h1").bounding_box()
    word = {"go": "Go", "conditional": "Conditional", "no-go": "No-go", "broken": "Stopped by an error"}[kind]
    assert seen.page.locator("h1").inner_text().split(maxsplit=1)[1] == word
    assert box["y"] + box["height"] < 400


def test_every_link_of_the_index_leads_somewhere(runs: Any, visit: Any) -> None:
    run = runs("conditional")
    seen = visit(run / "index.html")
    links = seen.page.evaluate("[...document.links].map(a => a.getAttribute('href'))")
    assert not [href for href in links if href.startswith(("/", "http", "file"))]
    targets = [run / unquote(href.partition("#")[0]) for href in links if not href.startswith("#")]
    assert len(targets) > 10
    assert [target for target in targets if not target.is_file()] == []


def test_a_failed_stage_says_where_and_keeps_the_rest(runs: Any, visit: Any) -> None:
    run = runs("broken")
    text = visit(run / "index.html").page.locator("main").inner_text()
    assert "Stage Proof of concept failed" in text
    assert "ValueError in cell 7: could not convert 'n/a' to float" in text
    assert "Not run: Explanations, Handoff" in text
    partial = visit(run / "02_poc.html").page
    assert "stopped at a failing cell" in partial.locator("main").inner_text()
    assert "papermill's notice" not in partial.content()
    assert not partial.locator("details pre").is_visible()
    partial.locator("summary").focus()
    partial.keyboard.press("Enter")
    assert partial.locator("details pre").is_visible()


def test_keyboard_reaches_the_content_first(runs: Any, visit: Any) -> None:
    seen = visit(runs("go") / "index.html")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert seen.page.locator(".jump").bounding_box()["x"] >= 0


def test_hostile_data_stays_text(runs: Any, visit: Any, tmp_path: Any) -> None:
    run = shutil.copytree(runs("no-go"), tmp_path / "run")
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    attack = " ".join(HOSTILE)
    verdict["reasons"] = list(HOSTILE)
    verdict["gates"] += [
        {**GATES["fail"], "question": t, "message": t, "stage": t, "value": t, "id": t} for t in HOSTILE
    ]
    verdict["run"] |= {"project": attack, "question": attack, "id": attack, "stand_ins": list(HOSTILE)}
    verdict["run"] |= {"versions": {attack: attack}, "started": attack}
    for stage, text in zip(verdict["run"]["stages"], HOSTILE, strict=False):
        stage |= {"title": text, "html": text, "notebook": text, "status": "failed"}
        stage["error"] = {"cell": text, "cell_id": text, "name": text, "message": attack, "source": attack}
        stage["figures"] += [{"path": text, "title": text, "alt": text}]
        stage["artefacts"] += [{"path": "../../../../etc/passwd", "title": text}]
    (run / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    html.write_index(run)
    seen = visit(run / "index.html")
    check(seen)
    harmless(seen)
    assert HOSTILE[0] in seen.page.locator("main").inner_text()
    assert "passwd" not in seen.page.content()


def test_a_hostile_notebook_is_defused(tmp_path: Any, visit: Any) -> None:
    nbformat.write(notebook(hostile=True), tmp_path / "bad.ipynb")
    html.export_notebook(tmp_path / "bad.ipynb", tmp_path / "bad.html", HOSTILE[0], back=HOSTILE[3])
    seen = visit(tmp_path / "bad.html")
    check(seen, pictures_load=False)
    harmless(seen)
    # The allow-list must hold by itself, also where nobody enforces the page's content security policy.
    text = (tmp_path / "bad.html").read_text(encoding="utf-8").replace("Content-Security-Policy", "x-none")
    (tmp_path / "open.html").write_text(text, encoding="utf-8")
    unguarded = visit(tmp_path / "open.html")
    check(unguarded, pictures_load=False)
    harmless(unguarded)


def harmless(seen: Any) -> None:
    """No script ran, none could, and no link runs one."""
    seen.page.wait_for_timeout(100)
    assert seen.page.evaluate("window.hacked") is None
    assert seen.page.locator("script, iframe, object, embed, form, base, svg").count() == 0
    schemes = seen.page.evaluate("[...document.links].map(a => a.protocol)")
    assert set(schemes) <= {"file:", "http:", "https:", "mailto:"}
    handlers = (
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
    )
    assert seen.page.evaluate(handlers) == 0
    for link in seen.page.locator("a[href^='.']").all()[:20]:
        assert "javascript:" not in (link.get_attribute("href") or "")


def shade(seen: Any, selector: str, side: str) -> float:
    """Say how much darker a box is at one of its sides than beside it, where it holds no text."""
    box = seen.page.locator(selector)
    picture = Image.open(io.BytesIO(box.screenshot())).convert("L")
    edge, beside = (2, 60) if side == "left" else (picture.width - 3, picture.width - 60)
    # the row between caption and head is empty
    return float(picture.getpixel((beside, 26)) - picture.getpixel((edge, 26)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_shows_at_which_side_there_is_more(visit: Any, tmp_path: Any, scheme: str) -> None:
    wide = display.table([{f"column {number}": 1000 * number for number in range(14)}], "Wide").html
    short = display.table([{"a": 1, "b": 2}], "Short").html
    css = "".join((display.HERE / name).read_text(encoding="utf-8") for name in ("page.css", "report.css"))
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><style>{css}</style><main>{wide}{short}</main>")
    sign = 1 if scheme == "light" else -1
    seen = visit(path, 400, scheme)
    first, second = ".l2l-scroll >> nth=0", ".l2l-scroll >> nth=1"
    assert sign * shade(seen, first, "right") > 20 and abs(shade(seen, first, "left")) < 3
    seen.page.locator(first).evaluate("box => box.scrollLeft = 150")
    assert sign * shade(seen, first, "right") > 20 and sign * shade(seen, first, "left") > 20
    seen.page.locator(first).evaluate("box => box.scrollLeft = box.scrollWidth")
    assert abs(shade(seen, first, "right")) < 3 and sign * shade(seen, first, "left") > 20
    for width in (400, 1600):
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert abs(shade(seen, second, "right")) < 3 and abs(shade(seen, second, "left")) < 3


def test_a_table_of_many_columns_scrolls_before_its_texts_are_squeezed(visit: Any, tmp_path: Any) -> None:
    text = "acts from a probability of 0.12 on, at most on the highest 31%"
    row = {"option": "Gradient boosting (chosen)", "decides": text}
    row |= {f"from (per month) {number}": 79_000 for number in range(6)}
    css = "".join((display.HERE / name).read_text(encoding="utf-8") for name in ("page.css", "report.css"))
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><style>{css}</style><main>{display.table([row]).html}</main>")
    for width in (400, 900, 1100, 1600):
        cell = visit(path, width).page.locator("td").first
        assert cell.bounding_box()["height"] < 80, f"more than three lines at {width} px"
