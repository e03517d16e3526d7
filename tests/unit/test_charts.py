"""The charts: what they show, that they say it in words, and that they are the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lab2live.reporting import plots

LABELS = ["tariff", "contract", "a very long name of a column that goes on and on and on"]


def make(kind: str) -> Figure:
    rng = np.random.default_rng(0)
    if kind == "bars":
        return plots.bars(LABELS, [0.23, 0.05, 0.0], "Tariff is missing", "share", 0.1, "fails above", percent=True)
    if kind == "intervals":
        centre = np.array([0.5, 0.61, 0.78])
        return plots.intervals(
            LABELS, centre, centre - 0.02, centre + 0.02, "Linear is enough", "ROC AUC", "contract", 0.83, "Bayes limit"
        )
    if kind == "contributions":
        return plots.contributions(LABELS, [0.9, -0.3, 0.1], -1.2, -0.4, "Contract matters", "log-odds")
    if kind == "profit_curve":
        shares = np.linspace(0, 1, 21)
        worths = {"model": 40 * shares * (2 - 3 * shares), "rule": 20 * shares * (1 - 3 * shares)}
        return plots.profit_curve(shares, worths, (0.3, 13.2), 0.4, "A third is worth it", "EUR a month")
    if kind == "tornado":
        return plots.tornado(LABELS, [-2e4, 1e5, 2e5], [4e5, 3e5, 2.5e5], 2e5, "Tariff decides", "EUR a year")
    if kind == "falling":
        return plots.falling(2e4, 5e4, 0.2, 0.4, "The fallback takes half", "EUR a month")
    groups = {"stayed": rng.beta(2, 6, 2000), "left": rng.beta(5, 3, 600)}
    return plots.histogram(groups, "Those who left scored higher", "probability")


KINDS = ("bars", "intervals", "contributions", "histogram", "profit_curve", "tornado", "falling")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_figure_gives_the_same_small_png(kind: str) -> None:
    first, second = plots.png(make(kind)), plots.png(make(kind))
    assert first == second
    assert first.startswith(b"\x89PNG")
    assert len(first) < 60_000
    assert b"tEXt" not in first and b"Software" not in first


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_large_enough_for_a_phone(kind: str) -> None:
    figure = make(kind)
    sizes = [text.get_fontsize() for text in figure.findobj(lambda a: hasattr(a, "get_fontsize")) if text.get_text()]
    assert min(sizes) * 7 / figure.get_figwidth() >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off(kind: str) -> None:
    figure = make(kind)
    drawn = figure.get_tightbbox()  # in inches
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0
    assert drawn.x1 <= width and drawn.y1 <= height


def test_bars_say_values_and_the_limit() -> None:
    figure = make("bars")
    assert {"23 %", "5 %", "0 %", "fails above 10 %"} <= set(texts(figure))
    assert plots.alt(figure).startswith("Tariff is missing. Bars of share: tariff 23 %; contract 5 %;")
    assert plots.alt(figure).endswith("fails above: 10 %.")


def test_the_chosen_row_is_marked_in_words_too() -> None:
    figure = make("intervals")
    assert "contract (chosen)" in texts(figure)
    assert "contract (chosen) 0.610 (0.590 to 0.630)" in plots.alt(figure)
    assert "Bayes limit 0.83" in " ".join(texts(figure))


def test_a_title_wraps_in_the_chart_but_not_in_a_caption() -> None:
    title = "A title of many words that says what the reader is to take away from this chart"
    figure = plots.bars(["a"], [1], title, "x")
    assert "\n" in figure.get_suptitle()
    assert plots.heading(figure) == title


def test_contributions_add_up_and_say_what_is_left() -> None:
    figure = make("contributions")
    assert "all others" in texts(figure)
    assert "all others +0.1;" in plots.alt(figure)
    whole = plots.contributions(["a"], [0.5], 1.0, 1.5, "t", "x")
    assert "all others" not in texts(whole)


def test_a_histogram_says_how_many_and_where() -> None:
    assert "stayed: 2,000 values, median 0.23" in plots.alt(make("histogram"))


def test_nothing_to_show_is_said() -> None:
    empty = [plots.bars([], [], "t", "x"), plots.intervals([], [], [], [], "t", "x")]
    assert all("nothing to show" in texts(figure) for figure in empty)
    for figure in [*empty, plots.histogram({}, "t", "x"), plots.contributions([], [], 1, 1, "t", "x")]:
        assert plots.png(figure)


def test_missing_and_infinite_values_do_not_break_a_chart() -> None:
    odd = [np.nan, np.inf, -np.inf, 1.0]
    names = list("abcd")
    assert plots.png(plots.bars(names, odd, "t", "x", limit=2))
    assert plots.png(plots.intervals(names, odd, odd, odd, "t", "x"))
    assert plots.png(plots.histogram({"a": odd, "b": [], "c": [np.nan]}, "t", "x"))
    assert plots.png(plots.contributions(names, odd, 1.0, np.nan, "t", "x"))
    assert plots.png(plots.tornado(names, odd, odd, np.nan, "t", "x"))
    assert plots.png(plots.profit_curve([0, 0.5, 1], {"model": odd[:3]}, (np.nan, np.nan), None, "t", "y"))
    assert plots.png(plots.falling(np.nan, 1.0, np.nan, np.inf, "t", "y"))


def test_an_interval_that_ends_short_of_its_estimate_is_drawn() -> None:
    figure = plots.intervals(["all positive"], [1.0], [0.9], [0.98], "t", "x")
    assert plots.png(figure) and "1.00 (0.900 to 0.980)" in plots.alt(figure)


def test_what_stands_in_a_users_matplotlibrc_changes_no_chart(tmp_path: Path) -> None:
    plain, latex = tmp_path / "plain", tmp_path / "latex"
    plain.mkdir()
    latex.mkdir()
    (plain / "matplotlibrc").write_text("")
    (latex / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 40\naxes.grid: True\nsavefig.bbox: tight\nlines.linestyle: none\n"
    )
    code = (
        "import hashlib, matplotlib; from lab2live.reporting import plots;"
        "figure = plots.stamp(plots.intervals(['a', 'b_1'], [1, 2], [0, 1], [2, 3], 'a_b', 'x'), 'a stand-in');"
        "print(matplotlib.rcParams['text.usetex'], hashlib.sha256(plots.png(figure)).hexdigest())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            env=os.environ | {"MATPLOTLIBRC": str(folder)},
        ).stdout.split()
        for folder in (latex, plain)
    ]  # fmt: skip
    assert [usetex for usetex, _ in said] == ["True", "False"]
    assert said[0][1] == said[1][1]


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=40))
@example("கோடு العربية 日本 🙂")
def test_any_text_can_stand_in_a_chart(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        figure = plots.bars([text, "$x_1$"], [1, 2], text, text, limit=1.5, limit_label=text)
        assert plots.png(figure)
    assert "$x_1$" in texts(figure)


def test_a_cell_shows_an_image_with_its_description() -> None:
    bundle, metadata = plots.show(make("bars"))._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert metadata["alt"] == metadata["image/png"]["alt"] == bundle["text/plain"]
    assert "Tariff is missing" in bundle["text/plain"]


def test_ipython_shows_a_picture(monkeypatch: Any) -> None:
    from IPython.core.formatters import DisplayFormatter

    data, metadata = DisplayFormatter().format(plots.show(make("bars")))
    assert data["text/plain"].startswith("Tariff is missing")
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_charts_leave_no_trace_in_pyplot_or_its_settings() -> None:
    code = (
        "import matplotlib, sys; before = matplotlib.rcParams.copy();"
        "from lab2live.reporting import plots, style; style.png(plots.bars(['a'], [1], 't', 'x'));"
        "assert matplotlib.rcParams.copy() == before; assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_report_and_page_do_without_matplotlib_and_pandas() -> None:
    code = (
        "import sys; from lab2live.reporting import display, html;"
        "assert not {'matplotlib', 'pandas'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
