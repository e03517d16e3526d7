"""A notebook beside the journey, such as the portfolio: executed by papermill into a folder, with its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.charter.loading import PACKAGE_FOLDER
from lab2live.errors import UserError
from lab2live.pipeline import notebooks


@dataclass(frozen=True)
class Beside:
    """Which notebook it is.

    Attributes
    ----------
    notebook
        Where it lies.
    title
        Of its page.
    result
        The file that it writes into the folder `out` that it is given.
    breaks
        What is said if it breaks.
    """

    notebook: Path
    title: str
    result: str
    breaks: str

    def check(self, out: Path) -> None:
        """Refuse a notebook that is not there, or a folder that would overwrite it.

        Raises
        ------
        UserError
            In both cases.
        """
        if not self.notebook.is_file():
            raise UserError(
                "The notebook is not where it should be.", where=self.notebook, fix="git checkout notebooks"
            )
        if out.resolve() == self.notebook.parent.resolve():
            raise UserError("This folder holds the notebook itself.", where=out.resolve(), fix="name another --out")

    def run(self, out: Path, given: Mapping[str, Any], on_cell: Callable[[int, int], None]) -> dict[str, Any]:
        """Execute it, write its page, and give the content of its result.

        Parameters
        ----------
        out
            Where the executed copy, its page and its result go.
        given
            Its parameters, besides `out`.
        on_cell
            Called when a cell starts with the number of cells done and of all cells.

        Raises
        ------
        UserError
            If the folder cannot be made, or the notebook breaks.
        """
        from lab2live.reporting import html

        out = out.resolve()
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / self.result).unlink(missing_ok=True)  # an older answer must not stand for this one
        except OSError as error:
            raise UserError("The folder cannot be created.", where=out, found=error, fix="name another --out") from None
        notebooks.prepare_kernels([PACKAGE_FOLDER.parent])
        copy = out / self.notebook.name
        outcome = notebooks.execute(self.notebook, copy, {**given, "out": str(out)}, out, on_cell)
        if outcome.stopped:
            raise KeyboardInterrupt
        if copy.is_file():
            html.export_notebook(copy, copy.with_suffix(".html"), self.title, back="")
        if outcome.error is not None:
            broken = outcome.error
            raise UserError(
                self.breaks,
                where=f"{copy}, cell {broken['cell']}",
                found=f"{broken['name']}: {broken['message']}",
                fix="look at that cell of the executed copy",
            )
        content: dict[str, Any] = files.read_json(out / self.result)
        return content
