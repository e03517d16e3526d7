"""One notebook executed by papermill, and what is known of it afterwards, whether it ended well, broke or died."""

from __future__ import annotations

import ast
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.charter.loading import FILE, PACKAGE_FOLDER
from lab2live.errors import UserError

KERNEL = "python3"
# The notebooks as they are shipped: the wheel brings them, a checkout has them beside the package.
SHIPPED = (PACKAGE_FOLDER if (PACKAGE_FOLDER / "notebooks").is_dir() else PACKAGE_FOLDER.parents[1]) / "notebooks"

# What says where temporary files go, on any system.
TEMPORARY = ("TMPDIR", "TEMP", "TMP")
ENGINE = "lab2live"
# Tags of the cells that papermill adds to an executed copy.
INJECTED = frozenset({"injected-parameters", "papermill-error-cell-tag"})
DIED = {"name": "DeadKernelError", "message": "The kernel died in this cell: often too little memory.", "source": ""}


def beside(name: str, home: Path | None = None) -> Path:
    """Find a notebook that is no stage: that of the project which is named or worked in, else the one shipped."""
    named = home or os.environ.get("LAB2LIVE_PROJECT")
    here = Path(named or Path.cwd()).resolve()
    folders = [here.parent if here.suffix in (".yaml", ".yml") else here]
    folders += [] if named else here.parents
    own = (folder / "notebooks" / name for folder in folders if (folder / FILE).is_file())
    return next((path for path in own if path.is_file()), SHIPPED / name)


@dataclass(frozen=True)
class Outcome:
    """How an execution ended.

    Attributes
    ----------
    seconds
        Wall time.
    error
        `None`, or where it broke: `cell` (counted from 0), `cell_id`, `name`, `message` and `source`.
    stopped
        Whether somebody stopped it by hand.
    """

    seconds: float
    error: dict[str, Any] | None
    stopped: bool = False


def execute(
    source: Path, target: Path, parameters: Mapping[str, Any], cwd: Path, on_cell: Callable[[int, int], None]
) -> Outcome:
    """Execute a copy of a notebook; whatever happens, what it has shown so far is in `target`.

    Parameters
    ----------
    source
        The notebook, which is not touched.
    target
        The executed copy, saved after every cell.
    parameters
        Values for its `parameters` cell.
    cwd
        The kernel's working directory.
    on_cell
        Called when a cell starts with the number of cells done and of all cells.
    """
    import nbformat
    import papermill
    from papermill.engines import papermill_engines

    # At INFO papermill logs the parameters, which are nobody else's business.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    last = 0

    def hear(done: int, total: int) -> None:
        nonlocal last
        last = done
        on_cell(done, total)

    papermill_engines.register(ENGINE, _engine(hear))
    room = tempfile.TemporaryDirectory(prefix="lab2live-", ignore_cleanup_errors=True)
    elsewhere = {name: os.environ.get(name) for name in TEMPORARY}
    started, stopped = time.monotonic(), False
    error: dict[str, Any] | None = None
    try:
        # A kernel that breaks or is stopped cannot tidy up: its copies of data lie where this process does.
        os.environ |= dict.fromkeys(TEMPORARY, room.name)
        papermill.execute_notebook(
            _literal(source),
            _literal(target),
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name=KERNEL,
            language="python",  # stripped notebooks need not say so
            progress_bar=False,
            cwd=cwd,
            start_timeout=120,
            # else every kernel warns about its transport on the terminal, in the middle of the progress
            extra_arguments=["--IPKernelApp.log_level=40"],
        )
    except papermill.PapermillExecutionError as problem:
        error = {"name": problem.ename, "message": str(problem.evalue), "source": problem.source}
    except KeyboardInterrupt:
        stopped = True
        error = {"name": "Stopped", "message": "Stopped by hand while this cell ran.", "source": ""}
    except Exception as problem:  # a dead kernel, a full disk: the run stays readable all the same
        name = type(problem).__name__
        error = DIED if name == DIED["name"] else {"name": name, "message": str(problem).strip(), "source": ""}
    finally:
        for name, before in elsewhere.items():
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before
        room.cleanup()
    executed = nbformat.read(target, as_version=4).cells if target.is_file() else []
    return Outcome(round(time.monotonic() - started, 1), _locate(error, executed, last), stopped)


def _literal(path: Path) -> str:
    """Give a path that papermill takes as it stands: it would fill in what is in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _locate(error: dict[str, Any] | None, executed: Sequence[Any], last: int) -> dict[str, Any] | None:
    """Find the cell that broke: the one with an error, else the one in which execution ended.

    A kernel that dies leaves no error behind, and papermill may even call the notebook complete. Its last cell may or
    may not have got its number before, so that cell is the earlier of the `last` to start and the first without one.
    """
    # papermill puts cells of its own in; a reader counts those of the notebook
    own = [cell for cell in executed if not INJECTED & set(cell.metadata.get("tags", []))]
    code = [(number, cell) for number, cell in enumerate(own) if cell.cell_type == "code" and cell.source.strip()]
    broken = [(n, c) for n, c in code if any(output.output_type == "error" for output in c.outputs)]
    silent = [(n, c) for n, c in code if c.execution_count is None]
    if error is None and not silent:
        return None
    if error is None and broken:  # papermill takes `sys.exit(0)` for a good end, whatever was still to come
        shown = next(output for output in broken[0][1].outputs if output.output_type == "error")
        error = {"name": shown.ename, "message": "The notebook left here: sys.exit().", "source": ""}
    error = error or DIED
    running = [(n, c) for n, c in code if any(c is cell for cell in executed[last : last + 1])]
    for number, cell in broken or sorted([*running, *silent], key=lambda found: found[0]):
        return {**error, "cell": number, "cell_id": cell.get("id"), "source": error["source"] or cell.source}
    return {**error, "cell": None, "cell_id": None}


def _engine(on_cell: Callable[[int, int], None]) -> Any:
    """Give papermill's own engine with an ear at every cell."""
    from papermill.engines import NBClientEngine

    class ListeningEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            begin, total = nb_man.cell_start, len(nb_man.nb.cells)

            def cell_start(cell: Any, cell_index: int | None = None, **more: Any) -> Any:
                on_cell(cell_index or 0, total)
                return begin(cell, cell_index=cell_index, **more)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    return ListeningEngine


def prepare_kernels(first: Sequence[Path]) -> None:
    """Set what every kernel inherits: these folders first on its path, no telemetry, no debugger chatter."""
    known = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*map(str, first), *known]))
    os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "1"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"


def source_cells(notebook: Path) -> list[tuple[str, str]]:
    """List kind and source of a notebook's cells, those that papermill injected left out."""
    import nbformat

    return [
        (cell.cell_type, cell.source)
        for cell in nbformat.read(notebook, as_version=4).cells
        if not INJECTED & set(cell.metadata.get("tags", []))
    ]


def declared_parameters(notebook: Path) -> dict[str, Any]:
    """Read the literals of a notebook's `parameters` cell, without executing it."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    source = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    found: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            found[statement.target.id] = ast.literal_eval(statement.value)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


def run_apart(
    notebook: Path, title: str, result: str, out: Path, given: Mapping[str, Any], on_cell: Callable[[int, int], None]
) -> dict[str, Any]:
    """Execute a notebook beside the journey, such as the portfolio, into a folder; give what it wrote there.

    Parameters
    ----------
    notebook, title
        Where it lies, and the title of its page.
    result
        The file that it writes into `out`.
    out
        Where the executed copy, its page and its result go.
    given
        Its parameters, besides `out`.
    on_cell
        See `execute`.

    Raises
    ------
    UserError
        If it is not there, would overwrite itself, or breaks.
    """
    from lab2live.reporting import html

    out = out.resolve()
    if not notebook.is_file():
        raise UserError("The notebook is not where it should be.", where=notebook, fix="git checkout notebooks")
    if out == notebook.parent.resolve():
        raise UserError("This folder holds the notebook itself.", where=out, fix="name another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / result).unlink(missing_ok=True)  # an older answer must not stand for this one
    except OSError as error:
        raise UserError("The folder cannot be created.", where=out, found=error, fix="name another --out") from None
    prepare_kernels([PACKAGE_FOLDER.parent])
    copy = out / notebook.name
    outcome = execute(notebook, copy, {**given, "out": str(out)}, out, on_cell)
    if outcome.stopped:
        raise KeyboardInterrupt
    if copy.is_file():
        html.export_notebook(copy, copy.with_suffix(".html"), title, back="")
    if outcome.error is not None:
        raise broken(copy, outcome.error)
    content: dict[str, Any] = files.read_json(out / result)
    return content


def broken(notebook: Path | str, error: Mapping[str, Any]) -> UserError:
    """Say which cell of a notebook broke, and how."""
    return UserError(
        "A notebook breaks.",
        where=f"{notebook}, cell {error['cell']}",
        found=f"{error['name']}: {error['message']}",
        fix="look at that cell of the executed copy",
    )
