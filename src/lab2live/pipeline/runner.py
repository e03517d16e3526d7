"""The notebooks as a graph, executed by papermill: progress, resume, fail-fast, and a readable run whatever happens."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.charter.loading import DEMO, DEMO_CHARTER, PACKAGE_FOLDER
from lab2live.charter.schema import Charter
from lab2live.pipeline import context, decision, graph, notebooks, store
from lab2live.pipeline.graph import JOURNEY, Node, notebooks_of


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
    KeyboardInterrupt
        When it was stopped by hand; the run is written down before.
    """
    progress = progress or Progress()
    home = notebooks_of(charter)
    parameters = graph.parameters(home, smoke, overrides or {})
    folder = store.choose(charter, run_dir, home, continues=only is not None, smoke=smoke, force=force)
    with store.claim(folder):
        _run(charter, folder, home, parameters, only, smoke, force, keep_going, progress)
    return folder


def _run(
    charter: Charter,
    folder: Path,
    home: Path,
    parameters: Mapping[str, Mapping[str, Any]],
    only: str | None,
    smoke: bool,
    force: bool,
    keep_going: bool,
    progress: Progress,
) -> None:
    """Execute in a folder that is chosen and claimed."""
    notebooks.prepare_kernels([PACKAGE_FOLDER.parent, charter.folder / "src"])
    state = _State(charter, folder, smoke, started=_now())
    earlier, stopped = store.before(folder), False
    if only is None:
        state.write()  # from here on there is a page to read, even if this process is killed
    for node in (node for node in JOURNEY if only in (None, node.stage)):
        own = parameters[node.stage]
        blocker = "" if keep_going or only else state.blocker(node)
        if blocker:
            state.records[node.stage] = _record(node, "not run", why=blocker)
        elif not force and not state.renewed(node) and _is_done(charter, folder, node, home, own):
            state.records[node.stage] = _kept(folder, node)
        else:
            progress.started(node)
            state.records[node.stage], stopped = _execute(charter, folder, node, home, own, progress)
        progress.ended(node, state.records[node.stage])
        if only is None:
            state.write()
        if stopped:
            break
    if only is not None:
        for node in (node for node in JOURNEY if node.stage != only):
            state.records[node.stage] = _as_it_is(charter, folder, node, home, earlier)
        state.write()
    if stopped:
        raise KeyboardInterrupt


@dataclass
class _State:
    """What is known about a run so far, and how it is written down after every stage."""

    charter: Charter
    folder: Path
    smoke: bool
    started: dt.datetime
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def renewed(self, node: Node) -> bool:
        """Say whether something a stage needs was executed just now."""
        return any(self.records.get(need, {}).get("status") in ("done", "failed") for need in node.needs)

    def results(self) -> dict[str, dict[str, Any]]:
        """Read what the stages of this run found; a stage that is out of date does not count."""
        found = {}
        for name, record in self.records.items():
            result = context.read_result(self.folder, name) if record["status"] != "not run" else None
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
        from lab2live.reporting import html

        results = self.results()
        records = [self.records.get(node.stage) or _record(node, "not run", why="Not run yet.") for node in JOURNEY]
        why_not = {record["stage"]: record["why"] for record in records if record["why"]}
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
        content = decision.compose(self.charter, results, why_not, facts)
        files.write_json(self.folder / decision.FILE, content)
        learnt = [text for result in results.values() for text in result.get("learnt", ())]
        files.write_text(self.folder / decision.LESSONS, decision.lessons(content, learnt))
        html.write_index(self.folder)


def _as_it_is(charter: Charter, folder: Path, node: Node, home: Path, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a stage that is not to be executed: what this run has of it, from whichever parameters."""
    result = context.read_result(folder, node.stage)
    if result is None:
        return _record(node, "not run", why="Not run in this run.")
    if not store.is_current(charter, folder, node, home, result["parameters"]):
        return _record(node, "not run", why="Out of date: run this stage again.")
    if result["finished"]:
        return _kept(folder, node)
    records = earlier["run"]["stages"] if earlier else []
    known = next((record["error"] for record in records if record["stage"] == node.stage), None)
    error = known or _error("Stopped", "The stage was stopped before its end: run it again.")
    kept = _kept(folder, node)
    return _record(node, "failed", error=error, notebook=kept["notebook"], html=kept["html"])


def _kept(folder: Path, node: Node) -> dict[str, Any]:
    has_page = (folder / _html(node)).is_file()
    return _record(node, "kept", notebook=node.notebook, html=_html(node) if has_page else None)


def _is_done(charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any]) -> bool:
    result = context.read_result(folder, node.stage)
    return bool(result and result["finished"]) and store.is_current(charter, folder, node, home, parameters)


def _error(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "source": "", "cell": None, "cell_id": None}


def _record(node: Node, status: str, why: str = "", **more: Any) -> dict[str, Any]:
    if status == "failed":
        why = "The stage broke before this question."
    empty = {"seconds": None, "notebook": None, "html": None, "error": None}
    return {"stage": node.stage, "title": node.title, "status": status, "why": why, **empty, **more}


def _html(node: Node) -> str:
    return Path(node.notebook).with_suffix(".html").name


def _execute(
    charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, Any], bool]:
    """Execute one notebook and write its page; say also whether it was stopped by hand."""
    from lab2live.reporting import html

    # what an earlier attempt found must not stand for what this one does not get to
    context.result_path(folder, node.stage).unlink(missing_ok=True)
    target = folder / node.notebook
    target.unlink(missing_ok=True)
    project = DEMO if charter.file == DEMO_CHARTER else str(charter.file)
    given = {**parameters, "project": project, "run_dir": str(folder)}
    outcome = notebooks.execute(
        home / node.notebook, target, given, charter.folder, lambda done, total: progress.cell(node, done, total)
    )
    result = context.read_result(folder, node.stage)
    error = outcome.error
    if error is None and not (result and result["finished"]):
        error = _error("Unfinished", "The notebook ran to its end without `run.close()`, which belongs there.")
    record = _record(node, "failed" if error else "done", seconds=outcome.seconds, error=error)
    if target.is_file():
        html.export_notebook(target, folder / _html(node), f"{node.title}: {charter.project.name}")
        record |= {"notebook": node.notebook, "html": _html(node)}
    return record, outcome.stopped


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
