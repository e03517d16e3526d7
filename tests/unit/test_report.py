"""The pieces of a notebook: what they say, and that data never becomes markup."""

from __future__ import annotations

import doctest
import re
from decimal import Decimal
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab2live.reporting import display, formatting

GATE: dict[str, Any] = {
    "id": "eda.missing_critical",
    "requirement": "L4a",
    "stage": "eda",
    "must_pass": True,
    "status": "fail",
    "value": 0.23,
    "threshold": 0.05,
    "message": "tariff is missing",
    "title": "Missing values in critical fields",
    "question": "Are the critical fields filled in?",
    "better": "lower",
    "unit": "share",
}


class Reader(HTMLParser):
    """Collects tags, attribute names and text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def shape(piece: display.Html) -> tuple[list[str], set[str]]:
    """Tags and attributes: data must not change them."""
    reader = Reader(piece.html)
    return reader.tags, reader.attributes


@given(st.text(min_size=1) | st.text(alphabet="<>&'\"/=-! abionrscxt", min_size=1))
def test_data_never_becomes_markup(text: str) -> None:
    pieces = {
        "banner": lambda t: display.banner(t, t, "warn"),
        "say": display.say,
        "link": lambda t: display.link(t, t),
        "table": lambda t: display.table([{t: t, t + "2": 1}, {t: t + "x", t + "2": 2}], caption=t),
        "frame": lambda t: display.table(pd.DataFrame({t: [t]}, index=pd.Index([t], name=t))),
        "empty": lambda t: display.table([], caption=t, empty=t),
        "gate": lambda t: display.gate({**GATE, "message": t, "question": t, "requirement": t, "id": t, "value": t}),
        "gates": lambda t: display.gates([{**GATE, "message": t, "question": t, "threshold": t}]),
    }
    for name, piece in pieces.items():
        assert shape(piece(text)) == shape(piece("plain")), name


@given(st.text())
def test_no_path_names_a_scheme_or_another_host(text: str) -> None:
    href = display.href(text)
    assert href.startswith("./")
    assert not href.startswith(".//")
    assert ":" not in href
    assert not set("<>\"' \\\n") & set(href)


@given(st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(), st.decimals(), st.dates()))
def test_any_value_can_be_said(value: object) -> None:
    assert isinstance(formatting.plain(value), str)
    assert isinstance(formatting.short(value), str)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1234567, "1,234,567"),
        (np.int64(1234), "1,234"),
        (0.12345, "0.123"),
        (np.float32(0.5), "0.500"),
        (9.9996, "10.0"),
        (98765.4, "98,765"),
        (-0.0000123, "−0.0000123"),
        ("-5", "-5"),
        (1.5e-9, "1.5e-09"),
        (-0.0, "0"),
        (Decimal("2.50"), "2.50"),
        (float("inf"), "∞"),
        (1.7976931348623157e308, "1.8e+308"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (None, "–"),
        (float("nan"), "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        ("", ""),
    ],
)
def test_values_are_said_as_people_read_them(value: object, said: str) -> None:
    assert formatting.plain(value) == said


def test_short_drops_only_zeros_that_say_nothing() -> None:
    assert [formatting.short(x) for x in (0.05, 200.0, 1200.0, 0.5, 1e-9, "1.50", 0)] == [
        *("0.05", "200", "1,200", "0.5", "1e-09", "1.50", "0")
    ]


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(formatting).failed == 0
    assert doctest.testmod(display).failed == 0


def test_a_table_names_rows_and_columns_and_aligns_numbers() -> None:
    piece = display.table([{"source": "crm", "rows": 20190}, {"source": "billing", "rows": None}], "Rows per source")
    assert "<caption>Rows per source</caption>" in piece.html
    assert '<th scope="col">source</th><th scope="col" align="right">rows</th>' in piece.html
    assert '<th scope="row">crm</th><td align="right">20,190</td>' in piece.html
    assert repr(piece) == "Rows per source\nsource     rows\ncrm      20,190\nbilling       –"


def test_a_frame_shows_its_index_only_when_it_means_something() -> None:
    frame = pd.DataFrame({"n": [1, 2]})
    assert "<tr><th" in display.table(frame).html
    assert display.table(frame).text.splitlines()[0] == "n"
    assert display.table(frame.rename_axis("row")).text.splitlines()[0] == "row  n"
    assert display.table(frame.set_index(pd.Index(["a", "b"]))).text.splitlines()[1].split() == ["a", "1"]


def test_a_frame_may_repeat_names_and_have_levels() -> None:
    repeated = pd.DataFrame([[1, "x"]], columns=["a", "a"])
    assert display.table(repeated).text.splitlines()[1].split() == ["1", "x"]
    grouped = pd.DataFrame({"g": ["u"], "h": ["v"], "g2": [1]}).set_index(["g", "h"])
    assert display.table(grouped).text.splitlines()[1].split() == ["u", "v", "1"]


def test_rows_with_different_keys_and_no_rows() -> None:
    assert display.table([{"a": 1}, {"b": 2}]).text.splitlines()[2].split() == ["–", "2"]
    assert display.table([], "Orphans", empty="none found").text == "Orphans: none found"
    assert display.table(pd.DataFrame({"a": []})).text == "nothing to show"


@pytest.mark.parametrize("as_object", [False, True])
def test_a_gate_says_status_title_question_measure_and_message(as_object: bool) -> None:
    given_gate: Any = SimpleNamespace(**GATE) if as_object else GATE
    piece = display.gate(given_gate)
    measured = "23 % (at most 5 % allowed)"
    for part in ("✖ fail", "L4a", GATE["title"], GATE["question"], "(must pass)", "tariff is missing", measured):
        assert part in piece.text
        assert part in Reader(piece.html).text
    listed = display.gates([given_gate])
    assert "✖ fail" in listed.text
    assert display.gates([]).text == "Gates: none"


@pytest.mark.parametrize("status", ["pass", "warn", "fail", "skip"])
def test_a_status_is_symbol_and_word(status: str) -> None:
    assert formatting.status(status) == f"{formatting.SYMBOLS[status]} {status}"


@pytest.mark.parametrize(
    ("value", "limit", "better", "unit", "measured"),
    [
        (0.84, 0.89, "higher", "share", "84 % (at least 89 % needed)"),
        (0.12, 0.1, "lower", "share", "12 % (at most 10 % allowed)"),
        (0.0124, 0.01, "lower", "share", "1.2 % (at most 1 % allowed)"),
        (0.8896, 0.89, "higher", "share", "88.96 % (at least 89 % needed)"),
        (0.89, 0.89, "higher", "share", "89 % (at least 89 % needed)"),
        (0.07, 0.07, "lower", "share", "7 % (at most 7 % allowed)"),
        (0.9996, 0.95, "higher", "probability", "99.96 % (at least 95 % needed)"),
        (0.03, 0.01, "lower", "p-value", "p = 0.03 (at most 0.01 allowed)"),
        (3.0, 0.0, "lower", "rows", "3 rows (at most 0 allowed)"),
        (1.0, 0.0, "lower", "rows", "1 row (at most 0 allowed)"),
        (3.0, 4.0, "higher", "of 4 answers", "3 of 4 answers (at least 4 needed)"),
        (12.0, 100.0, "lower", "ms", "12 ms (at most 100 allowed)"),
        (-4672.4, 0.0, "higher", "EUR", "−4,672 EUR (at least 0 needed)"),
        (4671.6, 4672.0, "higher", "EUR", "4,671.6 EUR (at least 4,672 needed)"),
        (float("inf"), 1.0, "lower", "share", "∞ % (at most 100 % allowed)"),
        (2.0, None, "lower", "", "2"),
        (1.0, 0.0, "lower", "severity", ""),
        (None, 0.5, "lower", "share", ""),
    ],
)
def test_a_gate_is_measured_in_its_unit_against_its_limit(
    value: float | None, limit: float | None, better: str, unit: str, measured: str
) -> None:
    gate = GATE | {"value": value, "threshold": limit, "better": better, "unit": unit}
    assert formatting.gate_view(gate).measured == measured


@given(st.floats(0, 2), st.floats(0, 2), st.sampled_from(["share", "p-value", "score", "rows"]))
@example(0.9541103211519195, 0.954, "share")
def test_what_is_shown_never_lies_on_the_other_side_of_the_limit(value: float, limit: float, unit: str) -> None:
    limit = round(limit, 3)
    shown = formatting.gate_view(GATE | {"value": value, "threshold": limit, "unit": unit}).measured
    first, second = (float(text) for text in re.findall(r"\d+(?:\.\d+)?(?:e[-+]\d+)?", shown))
    assert (first > second, first < second) == (value > limit, value < limit)


def test_a_gate_that_says_little_is_still_shown() -> None:
    view = formatting.gate_view({"id": "own.contacts", "status": "skip"})
    assert (view.symbol, view.title, view.question, view.measured, view.message) == ("–", "own.contacts", "", "", "")


@pytest.mark.parametrize(("decision", "word"), [("go", "Go"), ("conditional", "Conditional"), ("no-go", "No-go")])
def test_an_error_comes_before_the_decision(decision: str, word: str) -> None:
    verdict: dict[str, Any] = {"decision": decision, "run": {"stages": [{"status": "done"}]}}
    assert (formatting.decision_view(verdict).word, formatting.decision_view(verdict).look) == (word, decision)
    verdict["run"]["stages"].append({"status": "failed"})
    broken = formatting.decision_view(verdict)
    assert (broken.word, broken.look) == ("Stopped by an error", "broken") and word.lower() in broken.sentence


def test_the_style_is_scoped_and_loads_nothing() -> None:
    css = display.style().html
    assert "url(" not in css and "@import" not in css
    rules = [line for line in css.splitlines() if "{" in line and not line.lstrip().startswith("/*")]
    assert all(line.lstrip().startswith((".l2l", "@media")) for line in rules if not line.startswith("<style>"))
    assert repr(display.style()) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.42, "0.4 s"), (12.4, "12 s"), (185, "3 min 5 s"), (59.7, "1 min 0 s")]
)
def test_durations(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


def test_every_table_carries_the_mark_until_it_is_taken_back() -> None:
    rows = [{"a": 1}]
    display.mark("on <stand-in> data")
    assert display.table(rows, "The silos").text.startswith("The silos (on <stand-in> data)\n")
    assert "<caption>The silos (on &lt;stand-in&gt; data)</caption>" in display.table(rows, "The silos").html
    assert "<caption>on &lt;stand-in&gt; data</caption>" in display.table(rows).html
    assert "(on &lt;stand-in&gt; data)" in display.gates([GATE]).html
    display.mark("")
    assert "stand-in" not in display.table(rows, "The silos").html
