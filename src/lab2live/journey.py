"""The notebooks as a graph, executed by papermill: progress, resume, fail-fast, and a readable run whatever happens."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from lab2live import execution, files, stage, verdict
from lab2live.charter import PACKAGE_FOLDER
from lab2live.errors import UserError
from lab2live.execution import declared_parameters, source_cells
from lab2live.gates import STAGES
from lab2live.schema import Charter, nearest

LATEST = "latest"


@dataclass(frozen=True)
class Node:
    """One notebook of the graph."""

    stage: str
    notebook: str
    title: str
    needs: tuple[str, ...] = ()
    smoke: Mapping[str, Any] = field(default_factory=dict)


SMOKE_ROWS = 1500

JOURNEY = (
    Node("eda", "01_eda.ipynb", "Data", (), {"sample": SMOKE_ROWS}),
    Node("poc", "02_poc.ipynb", "Proof of concept", ("eda",), {"sample": SMOKE_ROWS, "folds": 3, "repeats": 1}),
    Node("explainability", "03_explainability.ipynb", "Trust", ("eda", "poc"), {"sample": SMOKE_ROWS}),
    Node("handoff", "04_handoff.ipynb", "Handoff", ("eda", "poc", "explainability"), {"sample": SMOKE_ROWS}),
)


class Progress:
    """What a caller may want to hear while the journey runs. This one stays silent."""

    def started(self, node: Node) -> None:
        """A notebook starts."""

    def cell(self, node: Node, done: int, total: int) -> None:
        """A cell starts, after `done` of `total` are done."""

    def ended(self, node: Node, record: Mapping[str, Any]) -> None:
        """A notebook has ended, was kept, or will not run: see `record["status"]`."""


def run(
    charter: Charter,
    *,
    only: str | None = None,
    run_dir: Path | None = None,
    smoke: bool = False,
    force: bool = False,
    keep_going: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Execute the journey, or one stage of it.

    Parameters
    ----------
    charter
        The project.
    only
        Execute this stage alone; what it needs is taken from the run.
    run_dir
        The run's own folder. By default the newest run if it was not finished (its finished stages are kept as long as
        nothing they depend on has changed) or if `only` is given, else a new folder under `runs/`.
    smoke
        Small samples and few repetitions.
    force
        Execute also what is up to date.
    keep_going
        Execute stages that depend on a failed one, too.
    overrides
        Parameters per stage.
    progress
        Told about every step.

    Returns
    -------
    Path
        The run folder, with `verdict.json` and `index.html` written whatever happened.

    Raises
    ------
    UserError
        Before anything is executed: an unknown stage or parameter, or notebooks that are not there.
    """
    progress = progress or Progress()
    home = notebooks_of(charter)
    parameters = {node.stage: _parameters(node, home, smoke, (overrides or {}).get(node.stage, {})) for node in JOURNEY}
    for name in overrides or {}:
        if name not in STAGES:
            raise UserError(
                "There is no such stage.", found=name, expected=", ".join(STAGES), fix="--set stage.name=value"
            )
    folder = _folder(charter, run_dir, only is not None, force)
    execution.prepare_kernels([PACKAGE_FOLDER.parent, charter.folder / "src"])
    state = _State(charter, folder, smoke, only, started=_now())
    for node in JOURNEY:
        if only is not None and node.stage != only:
            state.records[node.stage] = _earlier(charter, folder, node, home, parameters[node.stage])
            continue
        blocker = "" if keep_going or only else state.blocker(node)
        if blocker:
            state.records[node.stage] = _record(node, "not run", why=blocker)
        elif not force and _is_current(charter, folder, node, home, parameters[node.stage]):
            state.records[node.stage] = _earlier(charter, folder, node, home, parameters[node.stage], "kept")
        else:
            progress.started(node)
            state.records[node.stage] = _execute(charter, folder, node, home, parameters[node.stage], progress)
        progress.ended(node, state.records[node.stage])
        state.write()
    state.write()
    return folder


@dataclass
class _State:
    """What is known about a run so far, and how it is written down after every stage."""

    charter: Charter
    folder: Path
    smoke: bool
    only: str | None
    started: dt.datetime
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def results(self) -> dict[str, dict[str, Any]]:
        """Read what the stages of this run found; a stage that is out of date does not count."""
        found = {}
        for name, record in self.records.items():
            result = stage.read_result(self.folder, name) if record["status"] != "not run" else None
            if result is not None:
                found[name] = result
        return found

    def blocker(self, node: Node) -> str:
        """Say why a stage cannot run: something it needs broke, was stopped, or failed a gate that must pass."""
        results = self.results()
        for need in node.needs:
            status = self.records[need]["status"]
            if status == "failed":
                return f"Not run: `{need}` broke, and this stage depends on it."
            if status == "not run":
                return f"Not run: `{need}` did not run, and this stage depends on it."
            for gate in results.get(need, {}).get("gates", []):
                if gate["must_pass"] and gate["status"] == "fail":
                    return f"Not run: `{gate['id']}` must pass and failed (--keep-going runs it all the same)."
        return ""

    def write(self) -> None:
        """Write verdict and index page from what is there now."""
        from lab2live import page

        results = self.results()
        why_not = {
            node.stage: self.records.get(node.stage, {}).get("why") or "Not run in this run." for node in JOURNEY
        }
        records = [self.records.get(node.stage) or _record(node, "not run") for node in JOURNEY]
        for record in records:
            found = results.get(record["stage"], {})
            record["figures"], record["artefacts"] = found.get("figures", []), found.get("artefacts", [])
        facts = {
            "id": self.folder.name,
            "project": self.charter.project.name,
            "question": self.charter.project.description,
            "started": self.started.isoformat(),
            "finished": _now().isoformat(),
            "seconds": round((_now() - self.started).total_seconds(), 1),
            "smoke": self.smoke,
            "seed": next((result["parameters"]["seed"] for result in results.values()), 0),
            "versions": _versions(),
            "stages": [{key: value for key, value in record.items() if key != "why"} for record in records],
        }
        content = verdict.compose(self.charter, results, why_not, facts)
        files.write_json(self.folder / verdict.FILE, content)
        page.write_index(self.folder)


def notebooks_of(charter: Charter) -> Path:
    """Find the notebooks of a project: its own, or, for the embedded demo, those beside this package."""
    for folder in (charter.folder / "notebooks", PACKAGE_FOLDER.parents[1] / "notebooks"):
        if all((folder / node.notebook).is_file() for node in JOURNEY):
            return folder
    raise UserError(
        "The notebooks are not where they should be.",
        where=charter.folder / "notebooks",
        expected=", ".join(node.notebook for node in JOURNEY),
        fix="restore them: git checkout notebooks",
    )


def _parameters(node: Node, home: Path, smoke: bool, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a notebook's defaults with smoke values and overrides; an unknown name is an error, not a warning."""
    defaults = declared_parameters(home / node.notebook)
    for name in overrides:
        if name not in defaults:
            raise UserError(
                f"The notebook of stage `{node.stage}` has no such parameter.",
                where=home / node.notebook,
                found=name,
                fix=f"use one of its own{nearest(name, defaults)}",
            )
        if name in ("project", "run_dir"):
            raise UserError(
                f"`{name}` is set by the run itself.",
                found=f"{node.stage}.{name}",
                fix=f"use --{name.replace('_', '-')}",
            )
    return {**defaults, **(node.smoke if smoke else {}), **overrides}


def _folder(charter: Charter, run_dir: Path | None, continues: bool, force: bool) -> Path:
    runs = charter.folder / "runs"
    newest = latest(charter)
    if run_dir is not None:
        folder = run_dir.resolve()
        if folder.exists() and not folder.is_dir():
            raise UserError("The run folder is a file.", where=folder, fix="name another --run-dir")
    elif newest is not None and (continues or (not force and _unfinished(newest))):
        folder = newest
    else:
        name = _now().strftime("%Y%m%d-%H%M%S")
        folder = next(
            path
            for path in (runs / f"{name}{suffix}" for suffix in ("", *map("-{}".format, range(2, 99))))
            if not path.exists()
        )
    folder.mkdir(parents=True, exist_ok=True)
    if folder.parent == runs:
        files.write_text(runs / LATEST, folder.name + "\n")
    return folder


def latest(charter: Charter) -> Path | None:
    """Give the folder of the project's newest run, if there is one."""
    pointer = charter.folder / "runs" / LATEST
    if not pointer.is_file():
        return None
    folder = pointer.parent / pointer.read_text(encoding="utf-8").strip()
    return folder if folder.is_dir() else None


def _unfinished(folder: Path) -> bool:
    if not (folder / verdict.FILE).is_file():
        return True
    return any(record["status"] in ("failed", "not run") for record in verdict.read(folder)["run"]["stages"])


def _is_current(charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any]) -> bool:
    """Say whether a stage of this run can be kept: finished, from the same code, data, charter and parameters."""
    result = stage.read_result(folder, node.stage)
    if result is None or not result["finished"] or not (folder / node.notebook).is_file():
        return False
    own = {name: value for name, value in parameters.items() if name not in ("project", "run_dir")}
    if result["fingerprint"] != stage.fingerprint(charter, node.stage, own):
        return False
    return source_cells(folder / node.notebook) == source_cells(home / node.notebook)


def _earlier(
    charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any], status: str = "kept"
) -> dict[str, Any]:
    """Describe a stage that is taken as this run has it."""
    if stage.read_result(folder, node.stage) is None:
        return _record(node, "not run")
    if not _is_current(charter, folder, node, home, parameters):
        return _record(node, "not run", why="Out of date: run this stage again.")
    has_page = (folder / node.notebook).with_suffix(".html").is_file()
    return _record(node, status, notebook=node.notebook, html=_html(node) if has_page else None)


def _record(node: Node, status: str, why: str = "", **more: Any) -> dict[str, Any]:
    empty = {"seconds": None, "notebook": None, "html": None, "error": None}
    return {"stage": node.stage, "title": node.title, "status": status, "why": why, **empty, **more}


def _html(node: Node) -> str:
    return Path(node.notebook).with_suffix(".html").name


def _execute(
    charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Execute one notebook and write its page."""
    from lab2live import page

    # what an earlier attempt found must not stand for what this one does not get to
    stage.result_path(folder, node.stage).unlink(missing_ok=True)
    target = folder / node.notebook
    target.unlink(missing_ok=True)
    given = {**parameters, "project": str(_project_argument(charter)), "run_dir": str(folder)}
    outcome = execution.execute(
        home / node.notebook, target, given, charter.folder, lambda done, total: progress.cell(node, done, total)
    )
    record = _record(node, "failed" if outcome.error else "done", seconds=outcome.seconds, error=outcome.error)
    if outcome.error:
        record["why"] = "The stage broke before this question."
    if target.is_file():
        page.export_notebook(target, folder / _html(node), f"{node.title}: {charter.project.name}")
        record |= {"notebook": node.notebook, "html": _html(node)}
    return record


def _project_argument(charter: Charter) -> Path | str:
    if (charter.folder / "project.yaml").is_file():
        return charter.folder
    return "demo"


def _versions() -> dict[str, str]:
    packages: Sequence[str] = (
        "pandas",
        "scikit-learn",
        "ydata-profiling",
        "papermill",
        "ibis-framework",
        "onnxruntime",
    )
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def _now() -> dt.datetime:
    return dt.datetime.now().astimezone().replace(microsecond=0)
