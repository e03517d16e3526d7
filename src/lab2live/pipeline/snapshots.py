"""The stored outputs that nbval compares: recorded by execution, written so that a diff means a change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from lab2live import files, wheel
from lab2live.charter.loading import DEMO, DEMO_CHARTER
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.pipeline import decision, notebooks, runner

# The tag of a cell that measures times: what it shows is never the same, and is not recorded.
TIMES = "times"
# The tag of a cell that shows single rows: not recorded where the data are personal, as references go into git.
ROWS = "single-rows"
# Notebooks beside the journey: the portfolio shows made-up projects, the monitoring a rehearsal on this run.
PORTFOLIO, MONITORING = "portfolio.ipynb", "05_monitoring.ipynb"


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
    home, is_demo = runner.home_of(charter), charter.file == DEMO_CHARTER
    if is_demo and not (home / "template").is_dir():
        problem = "The demo's references belong to the template's own checkout."
        raise UserError(problem, where=home, fix="name the project whose references you mean: --project DIR")
    target = home / "notebooks" if is_demo else charter.folder / "tests" / "reference"
    with tempfile.TemporaryDirectory(prefix="lab2live-record-") as work:
        run = runner.run(charter, run_dir=Path(work) / "run", force=True, keep_going=True, progress=progress)
        for stage in decision.read(run)["run"]["stages"]:
            if stage["error"]:
                raise notebooks.broken(stage["notebook"], stage["error"])
        recorded = {
            node.name: normalised(run / node.name, node.stage, charter.is_personal) for node in runner.nodes_of(charter)
        }
        given = {"project": DEMO if is_demo else str(charter.folder), "run_dir": str(run)}
        for name, parameters in ((PORTFOLIO, {}), (MONITORING, given)):
            source, copy = home / "notebooks" / name, Path(work) / name
            if source.is_file():
                outcome = notebooks.execute(source, copy, parameters, Path(work), lambda done, total: None)
                if outcome.error is not None:
                    raise notebooks.broken(source, outcome.error)
                recorded[name] = normalised(copy, source.stem.removeprefix("05_"), charter.is_personal)
    for name, text in recorded.items():
        yield files.write_text(target / name, text)


def normalised(notebook: Path, stage: str, personal: bool = False) -> str:
    """Give an executed notebook without whatever differs between two equal runs.

    Cells get ids by position (`eda-03`); injected parameters, the times of the run, what cells that measure times
    show, and the hash in lab2live's version, which changes with any change of it, go; so does, where the data are
    personal, what shows single rows. Other outputs and counts stay.
    """
    content = nbformat.read(notebook, as_version=4)
    kernel = {"display_name": "Python 3", "language": "python", "name": notebooks.KERNEL}
    content.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    content.cells = [cell for cell in content.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    count = 0
    for number, cell in enumerate(content.cells):
        cell.id = f"{stage}-{number:02d}"
        tags = cell.metadata.get("tags", [])
        hidden = TIMES in tags or (personal and ROWS in tags)
        tags = [tag for tag in tags if not (hidden and tag == "nbval-check-output")]
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [] if hidden else cell.outputs
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    version = wheel.version()
    return nbformat.writes(content, version=4).replace(version, version.partition("+")[0]) + "\n"
