"""The monitoring notebook, executed by papermill on one batch, with its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab2live.errors import UserError
from lab2live.monitoring import sheet
from lab2live.pipeline import notebooks

NOTEBOOK = "05_monitoring.ipynb"
PAGE = "05_monitoring.html"


def run(
    bundle: Path, batch: Path, out: Path, metrics: str | None, home: Path | None, on_cell: Callable[[int, int], None]
) -> dict[str, Any]:
    """Judge a batch: execute the notebook, write its page, and give the content of `monitoring.json`.

    Parameters
    ----------
    bundle, batch
        The bundle's folder, and a CSV or Parquet file with cases.
    out
        Where the executed notebook, its page, the figures and `monitoring.json` go.
    metrics
        See `served.read`.
    home
        The project whose notebook is executed; `None` for the one that is worked in, else the shipped one.
    on_cell
        Called when a cell starts with the number of cells done and of all cells.

    Raises
    ------
    UserError
        If a file is not there, or the notebook breaks.
    """
    notebook = notebooks.beside(NOTEBOOK, home)
    for place in (bundle, batch):
        if not place.exists():
            raise UserError("There is no such file or folder.", where=place, fix="check the path")
    given = {"bundle": str(bundle.resolve()), "batch": str(batch.resolve())}
    if metrics is not None:
        given["metrics"] = metrics if "://" in metrics else str(Path(metrics).resolve())
    return notebooks.run_apart(notebook, "Monitoring", sheet.FILE, out, given, on_cell)
