"""The stored outputs that nbval compares: recorded by execution, written so that a diff means a change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat

from lab2live import files
from lab2live.charter.loading import DEMO_CHARTER
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.monitoring import running as monitoring
from lab2live.pipeline import decision, graph, notebooks, runner
from lab2live.portfolio import running

# The tag of a cell that measures times: what it shows is never the same, and is not recorded.
TIMES = "times"


def record(charter: Charter, progress: runner.Progress | None = None) -> Iterator[Path]:
    """Execute all notebooks in a run of their own and store what they show.

    In a project the references are `tests/reference/*.ipynb`; in the template's own checkout the notebooks themselves.

    Yields
    ------
    Path
        Every file written.

    Raises
    ------
    UserError
        If a notebook breaks, or the demo is recorded outside of the template's checkout: then nothing is written.
    """
    home = graph.notebooks_of(charter)
    if charter.file == DEMO_CHARTER and not (home.parent / "template").is_dir():
        raise UserError(
            "The demo's references belong to the template's own checkout.",
            where=home,
            fix="name the project whose references you mean: --project DIR",
        )
    target = home if charter.file == DEMO_CHARTER else charter.folder / "tests" / "reference"
    with tempfile.TemporaryDirectory(prefix="lab2live-record-") as work:
        run = runner.run(charter, run_dir=Path(work) / "run", force=True, keep_going=True, progress=progress)
        for stage in decision.read(run)["run"]["stages"]:
            if stage["error"]:
                raise UserError(
                    "A notebook breaks, so nothing was recorded.",
                    where=f"{stage['notebook']}, cell {stage['error']['cell']}",
                    found=f"{stage['error']['name']}: {stage['error']['message']}",
                    fix="mend it: lab2live run shows the whole error",
                )
        for node in graph.JOURNEY:
            yield files.write_text(target / node.notebook, normalised(run / node.notebook, node.stage))
        if (home / running.NOTEBOOK).is_file():
            yield files.write_text(target / running.NOTEBOOK, _beside(home / running.NOTEBOOK, Path(work), {}))
        if (home / monitoring.NOTEBOOK).is_file():
            given = {"project": "demo" if charter.file == DEMO_CHARTER else str(charter.folder), "run_dir": str(run)}
            yield files.write_text(target / monitoring.NOTEBOOK, _beside(home / monitoring.NOTEBOOK, Path(work), given))


def _beside(notebook: Path, work: Path, given: Mapping[str, str]) -> str:
    """Record a notebook beside the journey: the portfolio on made-up projects, the monitoring as a rehearsal."""
    outcome = notebooks.execute(notebook, work / notebook.name, given, work, lambda done, total: None)
    if outcome.error is not None:
        error = outcome.error
        raise UserError(
            "A notebook breaks, so it was not recorded.",
            where=f"{notebook}, cell {error['cell']}",
            found=f"{error['name']}: {error['message']}",
        )
    return normalised(work / notebook.name, notebook.stem.removeprefix("05_"))


def normalised(notebook: Path, stage: str) -> str:
    """Give an executed notebook without whatever differs between two equal runs.

    Cells get ids by position (`eda-03`); injected parameters, the times of the run and what cells that measure
    times show go; other outputs and counts stay.
    """
    content = nbformat.read(notebook, as_version=4)
    content.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": notebooks.KERNEL},
            "language_info": {"name": "python"},
        }
    )
    content.cells = [cell for cell in content.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    count = 0
    for number, cell in enumerate(content.cells):
        cell.id = f"{stage}-{number:02d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [] if TIMES in tags else cell.outputs
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    return nbformat.writes(content, version=4) + "\n"
