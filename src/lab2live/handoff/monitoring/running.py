"""The monitoring notebook, executed by papermill on one batch, with its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab2live import execution, files
from lab2live.charter import PACKAGE_FOLDER
from lab2live.errors import UserError
from lab2live.handoff.monitoring import sheet

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
        The project whose notebook is executed; `None` for the one beside this package.
    on_cell
        Called when a cell starts with the number of cells done and of all cells.

    Raises
    ------
    UserError
        If a file is not there, or the notebook breaks.
    """
    from lab2live import page
    from lab2live.handoff.batch import check_kind

    notebook = (home or PACKAGE_FOLDER.parents[1]) / "notebooks" / NOTEBOOK
    if home is None and not notebook.is_file():  # installed from the wheel of a bundle, which brings it here
        notebook = Path(__file__).with_name(NOTEBOOK)
    out = out.resolve()
    if not notebook.is_file():
        raise UserError("The notebook is not where it should be.", where=notebook, fix="git checkout notebooks")
    if out == notebook.parent.resolve():
        raise UserError("This folder holds the notebook itself.", where=out, fix="name another --out")
    check_kind(batch)
    for place in (bundle, batch):
        if not place.exists():
            raise UserError("There is no such file or folder.", where=place, fix="check the path")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / sheet.FILE).unlink(missing_ok=True)  # an older answer must not stand for this one
    except OSError as error:
        raise UserError("The folder cannot be created.", where=out, found=error, fix="name another --out") from None
    execution.prepare_kernels([PACKAGE_FOLDER.parent])
    given: dict[str, Any] = {"bundle": str(bundle.resolve()), "batch": str(batch.resolve()), "out": str(out)}
    if metrics is not None:
        given["metrics"] = metrics if "://" in metrics else str(Path(metrics).resolve())
    outcome = execution.execute(notebook, out / NOTEBOOK, given, out, on_cell)
    if outcome.stopped:
        raise KeyboardInterrupt
    if (out / NOTEBOOK).is_file():
        page.export_notebook(out / NOTEBOOK, out / PAGE, "Monitoring", back="")
    if outcome.error is not None:
        broken = outcome.error
        raise UserError(
            "The batch could not be judged.",
            where=f"{out / NOTEBOOK}, cell {broken['cell']}",
            found=f"{broken['name']}: {broken['message']}",
            fix="look at that cell of the executed copy",
        )
    content: dict[str, Any] = files.read_json(out / sheet.FILE)
    return content
