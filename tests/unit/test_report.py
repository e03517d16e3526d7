"""The pieces of a notebook: what they say, and that data never becomes markup."""

from __future__ import annotations

import doctest
from decimal import Decimal
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
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
    "evidence": None,
    "question": "Are the critical attributes filled in?",
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
        "gates": lambda t: display.gates([{**GATE, "message": t, "question": t, "threshold": t}], caption=t),
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
def test_a_gate_says_status_question_measure_and_message(as_object: bool) -> None:
    given_gate: Any = SimpleNamespace(**GATE) if as_object else GATE
    piece = display.gate(given_gate)
    for part in ("✖ fail", "L4a", GATE["question"], "(must pass)", "tariff is missing", "measured 0.23, limit 0.05"):
        assert part in piece.text
        assert part in Reader(piece.html).text
    listed = display.gates([given_gate])
    assert "✖ fail" in listed.text
    assert display.gates([]).text == "Gates: none"


@pytest.mark.parametrize("status", ["pass", "warn", "fail", "skip"])
def test_a_status_is_symbol_and_word(status: str) -> None:
    assert formatting.status(status) == f"{formatting.SYMBOLS[status]} {status}"


def test_a_gate_that_measured_nothing_says_no_number() -> None:
    assert formatting.measure({**GATE, "value": None}) == ""
    assert formatting.measure({**GATE, "value": 3.0, "threshold": None}) == "measured 3"


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
