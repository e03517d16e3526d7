"""What a notebook shows besides its prose: banners, tables, gates and sentences as small pieces of HTML.

Everything that comes from data is escaped. The pieces are plain semantic HTML, so they still read well where a git host
strips styles; a status is always a symbol *and* a word, never colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from lab2live.reporting.formatting import GateView, gate_view, is_numeric, plain

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["info", "demo", "warn", "fail"]

HERE = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
)
_BANNERS = {"info": "ℹ", "demo": "⚑", "warn": "▲", "fail": "✖"}
# What every table and gate of this process says of itself; see `mark`.
_mark = ""


@dataclass(frozen=True)
class Html:
    """A displayable piece: HTML for notebooks and pages, text for terminals and git diffs."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return str(self.html)

    __html__ = _repr_html_  # templates take a piece as it is

    def __repr__(self) -> str:
        return self.text


def style() -> Html:
    """The look of the pieces inside JupyterLab; a notebook shows it once, near its top.

    Returns
    -------
    Html
        One `<style>` element, scoped to the class `l2l`. Git hosts drop it, and pages bring their own copy.
    """
    return Html(f"<style>{(HERE / 'report.css').read_text(encoding='utf-8')}</style>", "")


def banner(title: str, text: str = "", kind: Kind = "info") -> Html:
    """A note that must not be overlooked, such as "computed on the demo".

    Parameters
    ----------
    title
        A few words.
    text
        What follows from it, in a sentence.
    kind
        Chooses symbol and colour; the words must carry the meaning on their own.
    """
    symbol = _BANNERS[kind]
    html = _fill("banner", kind=kind, symbol=symbol, title=title, text=text)
    return Html(html, f"{symbol} {title}" + (f": {text}" if text else ""))


def mark(text: str) -> None:
    """Let every table and gate from now on say something of itself: it is copied into slides without the page's banner.

    Parameters
    ----------
    text
        Such as "on stand-in data: billing"; empty for nothing. A notebook is one process and one stage, which sets it.
    """
    global _mark
    _mark = text


def table(
    rows: pd.DataFrame | Sequence[Mapping[str, object]],
    caption: str = "",
    digits: int = 3,
    empty: str = "nothing to show",
) -> Html:
    """A table whose first column names the row.

    Parameters
    ----------
    rows
        A data frame, or a sequence of mappings. A frame's index is shown as the first column unless it only counts.
    caption
        What the table shows.
    digits
        Significant digits of numbers with a fraction.
    empty
        What to say when there are no rows; nothing at all if it is empty itself.

    Returns
    -------
    Html
        Numbers to the right, long text wrapped; a wide table scrolls inside its own box.
    """
    columns, records = _records(rows)
    if not records:
        return say(f"{caption}: {empty}" if caption and empty else empty)
    numeric = [is_numeric(values) for values in zip(*records, strict=True)]
    cells = [[plain(value, digits) for value in record] for record in records]
    return _table(columns, cells, numeric, caption)


def gate(gate: Any) -> Html:
    """One gate as a box: status, title and question, what was found, what was measured against which limit.

    Parameters
    ----------
    gate
        A `GateResult`, or a mapping with its fields.
    """
    view = gate_view(gate)
    lines = [line for line in (view.message, view.measured, _mark and f"({_mark})") if line]
    head = f"{view.symbol} {view.status}  {view.requirement}  {_name(view)}"
    return Html(_fill("gate", gate=view, name=_name(view), lines=lines), "\n    ".join([head, *lines]))


def gates(gates: Iterable[Any]) -> Html:
    """Several gates as a table, in the given order.

    Parameters
    ----------
    gates
        As for `gate`.
    """
    cells = [
        [f"{g.requirement} {_name(g)}", f"{g.symbol}\N{NO-BREAK SPACE}{g.status}", g.measured or "–", g.message or "–"]
        for g in map(gate_view, gates)
    ]
    if not cells:
        return say("Gates: none")
    return _table(["gate", "status", "measured", "message"], cells, [False, False, True, False], "Gates")


def _name(view: GateView) -> str:
    return view.title + (f": {view.question}" if view.question else "") + (" (must pass)" if view.must_pass else "")


def say(text: str) -> Html:
    """One plain paragraph."""
    return Html(Markup('<p class="l2l">{}</p>').format(text), text)


def link(path: str, text: str) -> Html:
    """A relative link to a file of the run.

    Parameters
    ----------
    path
        Relative, with forward slashes; a `#fragment` may follow.
    text
        What the reader clicks on.
    """
    return Html(Markup('<p class="l2l"><a href="{}">{}</a></p>').format(href(path), text), f"{text}: {path}")


def href(path: str) -> str:
    """A relative path as the value of an `href` attribute; nothing in it can name a scheme or another host.

    Examples
    --------
    >>> href("artefacts/a b.html#top"), href("javascript:alert(1)"), href("//other.host/x")
    ('./artefacts/a%20b.html#top', './javascript%3Aalert%281%29', './other.host/x')
    """
    file, mark, fragment = path.partition("#")
    return "./" + quote(file.lstrip("/"), errors="replace") + mark + quote(fragment, errors="replace")


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], caption: str) -> Html:
    caption = f"{caption} ({_mark})" if caption and _mark else caption or _mark
    html = _fill("table", columns=columns, cells=cells, right=right, caption=caption)
    grid = [[" ".join(cell.split()) for cell in row] for row in (columns, *cells)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in grid
    ]
    return Html(html, "\n".join([*([caption] if caption else []), *lines]))


def _fill(piece: str, **content: Any) -> Markup:
    return Markup(getattr(TEMPLATES.get_template("pieces.html.j2").module, piece)(**content))


def _records(rows: Any) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows, of a data frame or of mappings (whose keys may differ)."""
    import pandas as pd  # here, as pages are made without it

    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), dtype=object)
    if frame.index.names != [None] or not isinstance(frame.index, pd.RangeIndex):
        names = ["" if name is None else name for name in frame.index.names]
        frame = frame.reset_index(names=names, allow_duplicates=True)
    return [str(name) for name in frame.columns], list(frame.itertuples(index=False, name=None))
