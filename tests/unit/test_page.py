"""The pages of a run as files. What a browser makes of them is tested in tests/browser."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lab2live.reporting import display as pieces
from lab2live.reporting import html as page
from lab2live.reporting.html import sanitise

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def export(tmp_path: Path, *cells: Any, title: str = "Data") -> str:
    source = tmp_path / "01_eda.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), source)
    before = source.read_bytes()
    page.export_notebook(source, tmp_path / "01_eda.html", title)
    assert source.read_bytes() == before
    assert not list(tmp_path.glob(".*"))
    return (tmp_path / "01_eda.html").read_text(encoding="utf-8")


def code(source: str, *outputs: Any, count: int | None = 1, tags: tuple[str, ...] = ()) -> Any:
    return new_code_cell(source, execution_count=count, outputs=list(outputs), metadata={"tags": list(tags)})


def display(metadata: dict[str, Any] | None = None, **kinds: str) -> Any:
    data = {kind.replace("__", "+").replace("_", "/", 1): value for kind, value in kinds.items()}
    return new_output("display_data", data, metadata=metadata or {})


def test_a_page_has_prose_and_evidence_but_no_code(tmp_path: Path) -> None:
    html = export(tmp_path, new_markdown_cell("# Data\n\n*Why?*"), code("secret_code()", display(text_plain="42 rows")))
    assert "secret_code" not in html
    assert "<em>Why?</em>" in html and "42 rows" in html
    assert 'href="./index.html"' in html
    assert html.count("<h1") == 1


def test_a_notebook_without_a_title_gets_one(tmp_path: Path) -> None:
    assert "<h1>Data</h1>" in export(tmp_path, new_markdown_cell("no heading"))


def test_noise_is_left_out(tmp_path: Path) -> None:
    html = export(
        tmp_path,
        code(
            "x",
            new_output("stream", name="stderr", text="FutureWarning"),
            new_output("stream", name="stdout", text="1 %\r99 %\rread all\n" + "long " * 10_000),
            new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "HBox(...)"}),
            display(application_javascript="alert(1)"),
        ),
    )
    assert "FutureWarning" not in html and "HBox" not in html and "alert" not in html
    assert "99 %" not in html and "read all" in html
    assert "… the rest is in the notebook" in html


def test_pictures_have_words(tmp_path: Path) -> None:
    html = export(
        tmp_path,
        new_markdown_cell("## How are scores spread?"),
        code("a", display(image_png=PIXEL, text_plain="<Figure size 640x480>")),
        code("b", display({"image/png": {}, "alt": 'said "so" & <b>'}, image_png=PIXEL)),
        code("c", display(image_png=PIXEL, text_plain="Bars of rows: a 3.")),
    )
    alts = [unescape(alt) for alt in re.findall(r'<img alt="(.*?)"', html)]
    assert alts == ["Picture in “How are scores spread?”", 'said "so" & <b>', "Bars of rows: a 3."]
    assert html.count(f"data:image/png;base64,{PIXEL}") == 3


def test_a_failed_cell_is_shown_with_its_traceback_folded(tmp_path: Path) -> None:
    error = new_output(
        "error", ename="ValueError", evalue="bad <value>", traceback=["\x1b[31mline 1\x1b[39m", "line 2"]
    )
    html = export(
        tmp_path,
        new_markdown_cell("papermill says", metadata={"tags": ["papermill-error-cell-tag"]}),
        code("fails()", error),
        code("later()", count=None),
    )
    assert "This cell failed: ValueError" in html and "bad &lt;value&gt;" in html
    assert "1 of 2 code cells ran" in html
    assert "papermill says" not in html
    assert "<details>" in html and "\x1b" not in html


def test_a_dead_kernel_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    html = export(tmp_path, code("a", display(text_plain="kept")), code("b", count=None))
    assert "was not run to its end" in html and "kept" in html


def test_a_page_asks_for_nothing_from_the_network(tmp_path: Path) -> None:
    html = export(tmp_path, new_markdown_cell("$x^2$ ![logo](https://example.invalid/logo.png)"), code("a"))
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
    assert "<script" not in html and "default-src 'none'" in html
    assert "[picture: logo]" in html


def test_many_pictures_stay_under_the_limit_and_are_quick(tmp_path: Path) -> None:
    import base64
    import time

    picture = base64.b64encode(bytes(range(256)) * 234).decode()  # 60 KB, as large as our charts get
    cells = [code("x", display(image_png=picture)) for _ in range(30)]
    start = time.perf_counter()
    html = export(tmp_path, *cells)
    assert len(html) < 3_000_000
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "attack",
    [
        "<script>window.hacked=1</script>",
        "<img src=x onerror=hacked()>",
        "<a href='javascript:hacked()'>x</a>",
        "<a href='java\tscript:hacked()'>x</a>",
        "<a href='javascript:0;hacked()'>x</a>",
        "<a href='&#106;avascript:hacked()'>x</a>",
        "<a href='data:text/html,hacked'>x</a>",
        "<iframe src='https://hacked'></iframe>",
        "<svg><a xlink:href='javascript:hacked()'><text>x</text></a></svg>",
        "<style>@import 'https://hacked'</style>",
        "<p style='background:url(https://hacked)'>x</p>",
        "<table background='https://hacked'><tr><td>1</td></tr></table>",
        "<math><mtext><table><mglyph><style><img src=x onerror=hacked()>",
        "<form action='https://hacked'><input formaction='javascript:hacked()'></form>",
        "<img src='data:image/png;base64,AAAA\" onerror=\"hacked()'>",
        "<link rel=stylesheet href='https://hacked'><meta http-equiv=refresh content='0;https://hacked'>",
        "<noscript><p title='</noscript><img src=x onerror=hacked()>'>",
        "<base href='https://hacked'>",
    ],
)
def test_attacks_are_removed(attack: str) -> None:
    assert "hacked" not in re.sub(r'title="[^"]*"|&lt;.*?&gt;', "", sanitise(attack))


@given(st.text(alphabet="<>/='\" \tabcdefghijklmnopqrstuvwxyz:;&#!-0123456789", max_size=80))
def test_no_input_brings_a_forbidden_tag_or_attribute(text: str) -> None:
    for prefix in ("", "<script>", "<img src=", "<svg onload=", "<p onclick=", "<!--", "<a href=javascript:"):
        clean = sanitise(prefix + text)
        assert not re.search(r"<(script|style|iframe|svg|object|embed|form|base|link|meta)\b", clean, re.IGNORECASE)
        assert not re.search(r"<[^>]*\son\w+\s*=\s*\"", clean)
        assert 'href="javascript' not in clean


def test_harmless_markup_and_pictures_are_kept() -> None:
    html = '<p><b>a</b> <a href="./x.html#y">l</a> <code>c</code></p><details><summary>s</summary>t</details>'
    assert sanitise(html) == html
    picture = f'<img alt="a" src="data:image/png;base64,{PIXEL}">'
    assert f"data:image/png;base64,{PIXEL}" in sanitise(picture)


def test_what_stands_in_scripts_and_styles_goes_with_them(tmp_path: Path) -> None:
    html = export(tmp_path, code("x", display(text_html="<style>p{}</style><script>alert(1)</script><p>kept</p>")))
    assert "<p>kept</p>" in html and "p{}" not in html and "alert" not in html


def test_pictures_come_from_the_page_itself() -> None:
    assert sanitise("<img alt='x' src='data:text/html;base64,AAAA'>") == "[picture: x]"
    assert sanitise("<img alt='x' src='https://example.invalid/x.png'>") == "[picture: x]"
    assert sanitise("<img title='<img>' alt='&lt;b>\"' src=x>") == "[picture: &lt;b&gt;&quot;]"
    assert "data:" not in sanitise("<a href=' d\tata:image/png;base64,AAAA'>x</a>")


def test_foreign_tables_scroll_in_a_box_of_their_own(tmp_path: Path) -> None:
    foreign = "<div><table border='1'><tr><td>1</td></tr></table></div>"
    html = export(
        tmp_path,
        new_markdown_cell("| a |\n|---|\n| 1 |"),
        code("pandas", display(text_html=foreign)),
        code("ours", display(text_html=str(pieces.table([{"a": 1}]).html))),
    )
    assert html.count('class="sheet"') == html.count('aria-label="table" class="sheet" role="region" tabindex="0"') == 2
    assert html.count("<table") == 3


# --- the index ------------------------------------------------------------------------------------------------------

STAGE = {
    "stage": "eda", "title": "Data", "status": "done", "seconds": 4.2, "notebook": "01_eda.ipynb",
    "html": "01_eda.html", "figures": [], "artefacts": [], "error": None,
}  # fmt: skip
GATE = {
    "id": "eda.target", "requirement": "P1", "stage": "eda", "must_pass": True, "status": "pass", "value": 500.0,
    "threshold": 200.0, "message": "500 outcomes are known.", "question": "Enough?",
    "title": "Labelled rows", "unit": "rows", "better": "higher",
}  # fmt: skip
RUN = {
    "id": "r1", "project": "Churn", "question": "Whom to call?", "started": "2026-11-23T16:04:10+00:00",
    "finished": None, "seconds": None, "smoke": False, "demo": False, "stand_ins": [], "seed": 4711, "versions": {},
    "stages": [STAGE],
}  # fmt: skip


def index(
    tmp_path: Path, decision: str = "go", gates: Any = (GATE,), reasons: Any = ("All passed.",), **run: Any
) -> str:
    verdict = {"decision": decision, "reasons": list(reasons), "gates": list(gates), "run": RUN | run}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    path = page.write_index(tmp_path)
    assert path == tmp_path / "index.html"
    assert sorted(p.name for p in tmp_path.glob(".*")) == []
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("decision", "word"), [("go", "Go"), ("conditional", "Conditional"), ("no-go", "No-go")])
def test_the_decision_comes_first(tmp_path: Path, decision: str, word: str) -> None:
    html = index(tmp_path, decision)
    assert re.search(rf'<h1 id="decision">.*{word}</h1>', html)
    assert html.index("<h1") < html.index("All passed.") < html.index('id="gates"') < html.index('id="stages"')


def test_gates_are_grouped_worst_first(tmp_path: Path) -> None:
    html = index(tmp_path, gates=[GATE | {"status": s} for s in ("pass", "skip", "fail", "warn")])
    assert re.findall(r'<h3 id="(\w+)">', html) == ["fail", "warn", "skip", "pass"]
    assert "500 rows (at least 200 needed)" in html and "Labelled rows" in html


def test_links_lead_only_to_files_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.txt").write_text("s", encoding="utf-8")
    artefacts = [
        {"path": p, "title": p} for p in ("../secret.txt", "/etc/passwd", "gone.html", "https://x.invalid/", "")
    ]
    html = index(tmp_path / "run", stages=[STAGE | {"artefacts": artefacts}])
    assert "secret" not in html and "passwd" not in html and "gone" not in html and "x.invalid" not in html
    assert "01_eda.html" not in html
    (tmp_path / "run" / "01_eda.html").write_text("", encoding="utf-8")
    html = index(tmp_path / "run")
    assert re.search(r'href="./01_eda.html">evidence<span class="visually-hidden"> for Labelled rows<', html)
    assert "evidence<" not in index(tmp_path / "run", gates=[GATE | {"stage": "poc"}])


def test_names_with_spaces_and_marks_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "artefacts").mkdir()
    (tmp_path / "artefacts" / "größe 100%.html").write_text("", encoding="utf-8")
    artefacts = [{"path": "artefacts/größe 100%.html", "title": "Profile"}]
    assert 'href="./artefacts/gr%C3%B6%C3%9Fe%20100%25.html"' in index(
        tmp_path, stages=[STAGE | {"artefacts": artefacts}]
    )


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"demo": True}, "simulated demo"),
        ({"stand_ins": ["billing"]}, "Not the real data: billing."),
        ({"smoke": True}, "Smoke run"),
        ({"stages": [STAGE, STAGE | {"title": "Handoff", "status": "not run", "seconds": None}]}, "Not run: Handoff."),
        ({"stages": [STAGE | {"status": "failed", "error": None}]}, "Stage Data failed"),
    ],
)
def test_what_must_be_known_is_said(tmp_path: Path, run: dict[str, Any], said: str) -> None:
    assert said in index(tmp_path, **run)
    assert said not in index(tmp_path)


def test_a_failed_stage_names_cell_and_error(tmp_path: Path) -> None:
    error = {"cell": 7, "cell_id": "eda-07", "name": "KeyError", "message": "'tariff'", "source": "frame['tariff']"}
    html = index(tmp_path, "conditional", stages=[STAGE | {"status": "failed", "error": error}])
    assert "KeyError in cell 7" in html and "eda-07" in html and "frame[&#39;tariff&#39;]" in html
    assert "Stopped by an error</h1>" in html and "the decision would be: conditional." in html


def test_names_in_backticks_are_shown_as_code_and_markup_in_them_as_text(tmp_path: Path) -> None:
    html = index(tmp_path, reasons=["fill in `<b>prediction</b>` in `project.yaml`"])
    assert "<code>&lt;b&gt;prediction&lt;/b&gt;</code> in <code>project.yaml</code>" in html


def test_broken_text_does_not_stop_the_page(tmp_path: Path) -> None:
    assert "half a letter" in index(tmp_path, project="half a letter \ud800 \x00")


def test_accepted_findings_are_shown_with_who_and_until_when(tmp_path: Path) -> None:
    finding = {"check": "missing.critical", "source": "crm", "column": "tariff", "by": "<Ada>", "until": "2027-01-31"}
    html = index(tmp_path, accepted=[finding | {"message": "Half of `tariff` is missing."}])
    assert "accepted by &lt;Ada&gt; until 2027-01-31" in html and "crm.tariff" in html and "<code>tariff</code>" in html
    assert "Accepted findings" not in index(tmp_path)


def test_every_recorded_stage_is_listed_own_notebooks_too(tmp_path: Path) -> None:
    (tmp_path / "06_own.html").write_text("", encoding="utf-8")
    own = STAGE | {"stage": "06_own", "title": "Own analysis", "html": "06_own.html"}
    html = index(tmp_path, stages=[STAGE, own], versions={"lab2live": "1.2"})
    assert "2. Own analysis</h3>" in html and 'href="./06_own.html"' in html and "lab2live 1.2" in html


def test_a_page_of_pieces(tmp_path: Path) -> None:
    html = page.write_page(tmp_path / "p.html", "Runs", [pieces.say("a<b"), "c<d"]).read_text(encoding="utf-8")
    assert "<h1>Runs</h1>" in html and '<p class="l2l">a&lt;b</p>\nc&lt;d' in html


def test_no_gates_and_no_reasons(tmp_path: Path) -> None:
    assert "No gate was judged." in index(tmp_path, gates=[], reasons=[], stages=[])
