"""The portfolio's notebook, executed by papermill, with its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab2live import execution, files
from lab2live.charter import PACKAGE_FOLDER
from lab2live.errors import UserError
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
    from lab2live import page

    home = PACKAGE_FOLDER.parents[1] / "notebooks"
    out = out.resolve()
    if not (home / NOTEBOOK).is_file():
        raise UserError("The notebook is not where it should be.", where=home / NOTEBOOK, fix="git checkout notebooks")
    if out == home.resolve():
        raise UserError("This folder holds the notebook itself.", where=out, fix="name another --out")
    projects = [str(place.resolve()) for place in sheet.distinct(places)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / sheet.FILE).unlink(missing_ok=True)  # an older answer must not stand for this one
    except OSError as error:
        raise UserError("The folder cannot be created.", where=out, found=error, fix="name another --out") from None
    execution.prepare_kernels([PACKAGE_FOLDER.parent])
    given = {"projects": projects, "out": str(out)}
    outcome = execution.execute(home / NOTEBOOK, out / NOTEBOOK, given, out, on_cell)
    if outcome.stopped:
        raise KeyboardInterrupt
    if (out / NOTEBOOK).is_file():
        page.export_notebook(out / NOTEBOOK, out / PAGE, "Portfolio", back="")
    if outcome.error is not None:
        broken = outcome.error
        raise UserError(
            "The notebook of the portfolio breaks.",
            where=f"{out / NOTEBOOK}, cell {broken['cell']}",
            found=f"{broken['name']}: {broken['message']}",
            fix="look at that cell of the executed copy",
        )
    content: dict[str, Any] = files.read_json(out / sheet.FILE)
    return content
