"""The visual language of charts: colours, type, canvas, labels, and how a figure becomes a picture."""

from __future__ import annotations

import io
import textwrap
import warnings
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
from matplotlib import rc_context, rc_params_from_file
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lab2live.reporting.formatting import number, short

# Okabe & Ito: told apart by people with any of the common colour vision deficiencies.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
INK, QUIET = "#1c2127", "#5b636e"
GROUPS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)

BOX = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind a text that may lie on a line

# A script the bundled font lacks shows as boxes; a warning per letter in a notebook would not help.
QUIETLY: dict[str, Any] = {"action": "ignore", "category": UserWarning}

WIDTH = 5.6  # inches: with 11 points of text still legible when shrunk to the width of a phone
PALETTE = 64  # colours
DPI = 130
# matplotlib's defaults and our own style, whatever a user's matplotlibrc says (LaTeX that is not installed, say).
# Only the backend is left alone: it shows what others draw.
_STYLE = rc_params_from_file(Path(__file__).with_name("charts.mplstyle"))
LOOK: dict[str, Any] = {name: value for name, value in _STYLE.items() if name != "backend"}


P = ParamSpec("P")


def drawn(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw a chart in our look; one that cannot be drawn says so in words, and what it shows is judged all the same."""

    @wraps(draw)
    def drawing(*parts: P.args, **more: P.kwargs) -> Figure:
        with rc_context(LOOK), warnings.catch_warnings(**QUIETLY):
            try:
                return draw(*parts, **more)
            except Exception as error:  # whatever it is: data nobody thought of, or a figure of the project's own
                figure = canvas(1.6)
                write_title(figure, f"This chart cannot be drawn ({type(error).__name__}: {error})"[:300])
                return finish(figure, heading(figure))

    return drawing


@dataclass(frozen=True)
class Picture:
    """A finished picture: a notebook shows it as image/png, with its description as alt text and text/plain."""

    data: bytes
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        # image/png instead of HTML: git hosts show it, and nbval knows not to compare it.
        bundle = {"image/png": b64encode(self.data).decode("ascii"), "text/plain": self.alt}
        return bundle, {"alt": self.alt, "image/png": {"alt": self.alt}}


def heading(figure: Figure) -> str:
    """The title of a chart on one line, e.g. as its caption on the page of a run."""
    return " ".join(figure.get_suptitle().split())


def alt(figure: Figure) -> str:
    """The chart in words, for people and programs that do not see it."""
    return str(figure.get_label())


def png(figure: Figure) -> bytes:
    """The figure as PNG; the same figure gives the same bytes (no date, no program name inside)."""
    buffer, small = io.BytesIO(), io.BytesIO()
    with rc_context(LOOK), warnings.catch_warnings(**QUIETLY):
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    # A chart has few colours: a palette makes it a third of the size, and a notebook with ten of them readable in git.
    with Image.open(buffer) as picture:
        picture.convert("RGB").quantize(PALETTE).save(small, format="png", optimize=True)
    return small.getvalue()


def show(figure: Figure) -> Picture:
    """What a notebook cell ends with: the picture as image/png, with its alt text."""
    return Picture(png(figure), alt(figure))


def canvas(height: float) -> Figure:
    """An empty figure as wide as every chart."""
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def rows_canvas(names: Sequence[str], title: str, xlabel: str) -> tuple[Figure, Axes]:
    """A figure with one row per name, the first on top, and a vertical grid."""
    lines = [textwrap.fill(name, 24, max_lines=2, placeholder=" …") for name in names]
    figure = canvas(1.4 + 0.44 * max(len(names), 1))
    axes = figure.subplots()
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(max(len(lines), 1) - 0.4, -0.6)
    axes.margins(x=0.2)  # room for a value beside the end of its bar
    axes.grid(axis="x")
    axes.set_xlabel(clean(xlabel))
    if not names:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color=QUIET)
        axes.set_xticks([])
    write_title(figure, title)
    return figure, axes


def write_title(figure: Figure, title: str) -> None:
    """The message of the chart, above everything."""
    figure.suptitle(textwrap.fill(clean(title), 46), x=0.01, ha="left", fontsize=13, weight="bold", color=INK)


def value_label(axes: Axes, row: int, x: float, text: str, left: bool = False, weight: str = "normal") -> None:
    """A value in words beside its dot, where there is one."""
    if not np.isfinite(x):
        return
    gap, side = (-9, "right") if left else (9, "left")
    axes.annotate(text, (x, row), (gap, 0), textcoords="offset points", va="center", ha=side, weight=weight, bbox=BOX)


def mark_line(axes: Axes, x: float | None, label: str, write: Callable[[float], str]) -> str:
    """A dashed line over all rows, named above it, and the same in words; nothing where there is no `x`."""
    if x is None:
        return ""
    axes.axvline(x, color=INK, linewidth=1.4, linestyle=(0, (4, 3)))
    low, high = axes.get_xlim()
    side, top = "right" if (x - low) > 0.6 * (high - low) else "left", ("data", "axes fraction")
    axes.annotate(clean(f"{label} {write(x)}"), (x, 1), (0, 4), top, "offset points", ha=side, va="bottom")
    return f" {label}: {write(x)}."


def finish(figure: Figure, words: str) -> Figure:
    """Give the figure its description, and settle what matplotlib puts off until drawing."""
    figure.set_label(clean(words))
    figure.draw_without_rendering()  # ticks are created while drawing: do it while our look is in force
    return figure


@drawn
def stamp(figure: Figure, words: str) -> Figure:
    """Write a line below a figure that goes wherever the picture goes; without words only see that it can be drawn."""
    if words:
        figure.set_figheight(figure.get_figheight() + 0.25)
        figure.supxlabel(textwrap.fill(clean(words), 70), x=0.99, ha="right", fontsize=9, color=INK)
    return finish(figure, f"{alt(figure)} ({words})" if words else alt(figure))


def names_of(labels: Sequence[object]) -> list[str]:
    """Labels as text that can be drawn."""
    return [clean(str(label)) or "(empty)" for label in labels]


def clean(text: str) -> str:
    """Without characters a font cannot draw: control characters, lone surrogates, line breaks."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def shown(value: float, percent: bool = False) -> str:
    """A number as it stands at a bar."""
    share = percent and np.isfinite(value)
    return f"{short(round(100 * float(value), 9))} %" if share else number(float(value))


def signed(value: float) -> str:
    """A contribution: its sign always shown."""
    return ("+" if value > 0 else "−" if value < 0 else "") + short(abs(value))
