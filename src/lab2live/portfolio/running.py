"""The portfolio's notebook, executed by papermill, with its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab2live.pipeline import notebooks
from lab2live.portfolio import sheet

NOTEBOOK = "portfolio.ipynb"
PAGE = "portfolio.html"


def run(places: Sequence[Path], out: Path, on_cell: Callable[[int, int], None]) -> dict[str, Any]:
    """Compare projects: execute the notebook, write its page, and give the content of `portfolio.json`.

    Parameters
    ----------
    places
        Folders of projects or runs.
    out
        Where the executed notebook, its page, the figures and `portfolio.json` go.
    on_cell
        Called when a cell starts with the number of cells done and of all cells.

    Raises
    ------
    UserError
        For folders that are not there, or if the notebook breaks.
    """
    notebook = notebooks.beside(NOTEBOOK)
    sheet.distinct(places)  # what is wrong with them is said before anything is executed
    given = {"projects": [str(place.resolve()) for place in places]}
    return notebooks.run_apart(notebook, "Portfolio", sheet.FILE, out, given, on_cell)
