"""The notebooks as a graph, executed by papermill: progress, resume, fail-fast, and a readable run whatever happens."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.charter.gates import Gate
from lab2live.charter.loading import DEMO, DEMO_CHARTER, PACKAGE_FOLDER
from lab2live.charter.loading import FILE as CHARTER
from lab2live.charter.schema import Charter, nearest
from lab2live.errors import UserError
from lab2live.pipeline import decision, hooks, notebooks, store


@dataclass(frozen=True)
class Node:
    """One notebook of the graph.

    Attributes
    ----------
    stage, title
        What its results are called, and how pages name it.
    notebook
        Where it lies, relative to the project.
    needs
        The stages whose results it reads.
    smoke
        Its parameters on small samples.
    own
        Whether it is one of the project's own.
    """

    stage: str
    notebook: str
    title: str
    needs: tuple[str, ...] = ()
    smoke: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False

    @property
    def name(self) -> str:
        return Path(self.notebook).name

    @property
    def html(self) -> str:
        return Path(self.name).with_suffix(".html").name


SMOKE_ROWS = 2500
SMOKE = {"sample": SMOKE_ROWS}
SMOKE_POC = {**SMOKE, "folds": 3, "repeats": 1, "budget": 6, "resamples": 100}

JOURNEY = (
    Node("eda", "notebooks/01_eda.ipynb", "Data", (), SMOKE),
    Node("poc", "notebooks/02_poc.ipynb", "Proof of concept", ("eda",), SMOKE_POC),
    Node("explainability", "notebooks/03_explainability.ipynb", "Trust", ("eda", "poc"), SMOKE),
    Node("handoff", "notebooks/04_handoff.ipynb", "Handoff", ("eda", "poc", "explainability"), SMOKE),
)


class Progress:
    """What a caller may want to hear while a run goes on. This one stays silent."""

    def started(self, node: Node) -> None:
        """A notebook starts."""

    def cell(self, node: Node, done: int, total: int) -> None:
        """A cell starts, after `done` of `total` are done."""

    def ended(self, node: Node, record: Mapping[str, Any]) -> None:
        """A notebook has ended, was kept, or will not run: see `record["status"]`."""


def nodes_of(charter: Charter) -> tuple[Node, ...]:
    """Give the notebooks of a project: those of the journey, then its own, as `notebooks:` in the charter names them.

    Raises
    ------
    UserError
        If two would write the same results, or one needs a stage that does not come before it.
    """
    found = list(JOURNEY)
    for entry in charter.notebooks:
        stage = re.sub(r"^\d+_", "", Path(entry.file).stem)
        known = [node.stage for node in found]
        where = f"{charter.file}, field `notebooks ({entry.file})`"
        if stage in known:
            raise UserError("Two notebooks write the results of one stage.", where=where, found=stage, fix="rename it")
        unknown = [need for need in entry.needs if need not in known]
        if unknown:
            hint = f"use stages that come before it{nearest(unknown[0], known)}"
            raise UserError(
                "A notebook needs a stage that does not come before it.", where=where, found=unknown[0], fix=hint
            )
        found.append(Node(stage, entry.file, stage.replace("_", " ").capitalize(), tuple(entry.needs), SMOKE, own=True))
    return tuple(found)


def home_of(charter: Charter) -> Path:
    """Find the folder whose `notebooks/` are executed: the project, or, for the demo, where they are shipped."""
    for folder in (charter.folder, notebooks.SHIPPED.parent):
        if all((folder / node.notebook).is_file() for node in JOURNEY):
            return folder
    raise UserError(
        "The notebooks are not where they should be.",
        where=charter.folder / "notebooks",
        expected=", ".join(node.name for node in JOURNEY),
        fix="restore them: git checkout notebooks",
    )


def parameters_of(
    nodes: Sequence[Node], home: Path, smoke: bool, overrides: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Give every notebook's parameters: its own defaults, then the smoke values, then the overrides.

    Raises
    ------
    UserError
        For a stage or a parameter that is not there, which papermill would only warn about.
    """
    known = {node.stage: node for node in nodes}
    for name in overrides:
        if name not in known:
            raise UserError(
                "There is no such stage.", found=name, expected=", ".join(known), fix="--set stage.name=value"
            )
    return {node.stage: _parameters(node, home, smoke, overrides.get(node.stage, {})) for node in nodes}


def _parameters(node: Node, home: Path, smoke: bool, overrides: Mapping[str, Any]) -> dict[str, Any]:
    notebook = home / node.notebook
    if not notebook.is_file():
        raise UserError("A notebook that the charter names is not there.", where=notebook, fix="correct `notebooks`")
    defaults = notebooks.declared_parameters(notebook)
    for name in overrides:
        if name not in defaults:
            raise UserError(
                f"The notebook of stage `{node.stage}` has no such parameter.",
                where=notebook,
                found=name,
                fix=f"use one of its own{nearest(name, defaults)}",
            )
        if name in ("project", "run_dir"):
            raise UserError(
                f"`{name}` is set by the run itself.",
                found=f"{node.stage}.{name}",
                fix=f"use --{name.replace('_', '-')}",
            )
    fitting = {name: value for name, value in node.smoke.items() if smoke and name in defaults}
    return {**defaults, **fitting, **overrides}


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

    A run that was stopped or broke is continued where it is. A finished one is never written again: if nothing has
    changed since, it is given back as it is, else a new run takes over what still holds.

    Parameters
    ----------
    charter
        The project.
    only
        Execute this stage alone; the rest is taken over from the newest run.
    run_dir
        The run's own folder; by default the newest run that was not finished, else a new folder under `runs/`.
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
    nodes, home = nodes_of(charter), home_of(charter)
    if only is not None and only not in {node.stage for node in nodes}:
        known = [node.stage for node in nodes]
        raise UserError("There is no such stage.", where="--stage", found=only, expected=", ".join(known))
    plan = _Plan(
        charter,
        nodes,
        home,
        parameters_of(nodes, home, smoke, overrides or {}),
        only,
        smoke,
        force,
        keep_going,
        progress or Progress(),
    )
    folder, earlier = _folder(plan, run_dir)
    if earlier is not None and earlier == folder:
        for node in nodes:
            plan.progress.ended(node, _kept(folder, node))
        return folder
    with store.claim(folder):
        if earlier is not None:
            store.take_over(earlier, folder)
        _execute_all(plan, folder)
    return folder


@dataclass(frozen=True)
class _Plan:
    charter: Charter
    nodes: tuple[Node, ...]
    home: Path
    parameters: Mapping[str, Mapping[str, Any]]
    only: str | None
    smoke: bool
    force: bool
    keep_going: bool
    progress: Progress

    def is_current(self, folder: Path, node: Node) -> bool:
        return store.is_current(
            self.charter, folder, node.stage, self.home / node.notebook, node.needs, self.parameters[node.stage]
        )

    def is_done(self, folder: Path, node: Node) -> bool:
        result = store.read_result(folder, node.stage)
        return bool(result and result["finished"]) and self.is_current(folder, node)


def _folder(plan: _Plan, wanted: Path | None) -> tuple[Path, Path | None]:
    """Choose the folder of the run, and the earlier run that it takes over; both are one if there is nothing to do."""
    if wanted is not None and wanted.resolve() == (plan.home / "notebooks").resolve():
        raise UserError(
            "The run folder holds the notebooks themselves, which a run must not overwrite.",
            where=wanted.resolve(),
            fix="name another --run-dir",
        )
    newest = wanted.resolve() if wanted else store.newest_in(plan.charter.folder)
    facts = _facts(newest) if newest is not None and newest.is_dir() else None
    anew = plan.force and plan.only is None and wanted is None
    if newest is None or facts is None or anew or not _is_alike(plan, facts):
        return store.create(plan.charter, wanted), None
    if facts.get("state") != "finished":
        # whoever works there now has not finished it: start another one, unless that very run is meant
        busy = wanted is None and plan.only is None and store.is_busy(newest)
        return store.create(plan.charter, None if busy else newest), None
    if not plan.force and _settled(plan, newest, facts):
        return newest, newest
    if wanted is not None:
        raise UserError(
            "This run is finished, and a finished run is never written again.",
            where=newest,
            fix="leave out --run-dir, or name a new folder",
        )
    return store.create(plan.charter, None), newest


def _facts(folder: Path) -> dict[str, Any] | None:
    """Give the facts of an earlier run; none if its verdict is damaged, `None` if there is no run of this version."""
    if not (folder / decision.FILE).is_file():
        return None
    try:
        facts: dict[str, Any] = decision.read(folder)["run"]
    except UserError:  # nothing is lost: what the stages found lies in files of their own
        return {}
    return facts if "state" in facts else None


def _is_alike(plan: _Plan, facts: Mapping[str, Any]) -> bool:
    """Say whether a run is this project's and about the same kind of data."""
    charter = plan.charter
    wanted = {
        "project": charter.project.name,
        "demo": charter.is_demo,
        "stand_ins": charter.stand_ins,
        "smoke": plan.smoke,
    }
    return all(facts.get(name, value) == value for name, value in wanted.items())


def _settled(plan: _Plan, folder: Path, facts: Mapping[str, Any]) -> bool:
    """Say whether a finished run would find the same again, and all that was asked for."""
    if store.unhashable(plan.charter):
        return False  # nobody can say whether a database has changed: it is read again
    status = {record["stage"]: record["status"] for record in facts["stages"]}
    if plan.only is not None:
        wanted = [node for node in plan.nodes if node.stage == plan.only]
    else:
        wanted = [node for node in plan.nodes if plan.keep_going or status.get(node.stage) != "not run"]
    return set(status) == {node.stage for node in plan.nodes} and all(plan.is_done(folder, node) for node in wanted)


def _execute_all(plan: _Plan, folder: Path) -> None:
    """Execute in a folder that is chosen and claimed."""
    notebooks.prepare_kernels([PACKAGE_FOLDER.parent, plan.charter.folder / "src"])
    state, stopped, earlier = _State(plan, folder, started=_now()), False, _facts(folder)
    keeps = not plan.force and not store.unhashable(plan.charter)
    if plan.only is None:
        state.write("running")  # from here on there is a page to read, even if this process is killed
    for node in plan.nodes:
        blocker = "" if plan.keep_going or plan.only else state.blocker(node)
        if plan.only not in (None, node.stage):
            continue
        if blocker:
            state.records[node.stage] = _record(node, "not run", why=blocker)
        elif keeps and not state.renewed(node) and plan.is_done(folder, node):
            state.records[node.stage] = _kept(folder, node)
        else:
            plan.progress.started(node)
            state.records[node.stage], stopped = _execute(plan, folder, node)
        plan.progress.ended(node, state.records[node.stage])
        if stopped:
            break
        if plan.only is None:
            state.write("running")
    if plan.only is not None:
        for node in (node for node in plan.nodes if node.stage != plan.only):
            state.records[node.stage] = _as_it_is(plan, folder, node, earlier)
    state.write(_ended(plan, [record["status"] for record in state.records.values()], stopped))
    if stopped:
        raise KeyboardInterrupt


def _ended(plan: _Plan, statuses: Sequence[str], stopped: bool) -> str:
    """Say how a run has ended: only one that is finished is never written again."""
    if stopped or "failed" in statuses:
        return "stopped" if stopped else "broken"
    # with one stage asked for, those that were not run can still be added
    return "partial" if plan.only is not None and "not run" in statuses else "finished"


@dataclass
class _State:
    """What is known about a run so far, and how it is written down after every stage."""

    plan: _Plan
    folder: Path
    started: dt.datetime
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def renewed(self, node: Node) -> bool:
        """Say whether something a stage needs was executed just now."""
        return any(self.records.get(need, {}).get("status") in ("done", "failed") for need in node.needs)

    def results(self) -> dict[str, dict[str, Any]]:
        """Read what the stages of this run found; a stage that is out of date does not count."""
        found = {}
        for name, record in self.records.items():
            result = store.read_result(self.folder, name) if record["status"] != "not run" else None
            if result is not None:
                found[name] = result
        return found

    def blocker(self, node: Node) -> str:
        """Say why a stage cannot run: something it needs broke, was stopped, or failed a gate that must pass."""
        results = self.results()
        for need in node.needs:
            status = self.records.get(need, {}).get("status")
            if status == "failed":
                return f"Not run: `{need}` broke, and this stage depends on it."
            if status == "not run":
                return f"Not run: `{need}` did not run, and this stage depends on it."
            for gate in results.get(need, {}).get("gates", []):
                if gate["must_pass"] and gate["status"] == "fail":
                    return f"Not run: `{gate['id']}` must pass and failed (--keep-going runs it all the same)."
        return ""

    def write(self, state: str) -> None:
        """Write verdict and index page from what is there now."""
        from lab2live.reporting import html

        plan, results = self.plan, self.results()
        records = [self.records.get(node.stage) or _record(node, "not run", why="Not run yet.") for node in plan.nodes]
        why_not = {record["stage"]: record["why"] for record in records if record["why"]}
        for record in records:
            found = results.get(record["stage"], {})
            record["figures"], record["artefacts"] = found.get("figures", []), found.get("artefacts", [])
        facts = {
            "id": self.folder.name,
            "state": state,
            "project": plan.charter.project.name,
            "question": plan.charter.project.description,
            "started": self.started.isoformat(),
            "finished": _now().isoformat(),
            "seconds": round((_now() - self.started).total_seconds(), 1),
            "smoke": plan.smoke,
            "seed": next((result["parameters"]["seed"] for result in results.values()), 0),
            "versions": store.versions(),
            "inputs": store.inputs(plan.charter),
            "stages": [{key: value for key, value in record.items() if key != "why"} for record in records],
        }
        own, problems = _own_gates(plan.charter)
        content = decision.compose(plan.charter, results, why_not, facts, own, problems)
        files.write_json(self.folder / decision.FILE, content)
        files.write_bytes(self.folder / CHARTER, plan.charter.file.read_bytes())
        learnt = [text for result in results.values() for text in result.get("learnt", ())]
        files.write_text(self.folder / decision.LESSONS, decision.lessons(content, learnt))
        html.write_index(self.folder)


def _own_gates(charter: Charter) -> tuple[list[Gate], list[str]]:
    try:
        return list(hooks.own_gates(charter).values()), []
    except UserError as error:
        return [], [str(error)]


def _as_it_is(plan: _Plan, folder: Path, node: Node, earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """Describe a stage that is not to be executed: what this run has of it, from whichever parameters."""
    result = store.read_result(folder, node.stage)
    if result is None:
        return _record(node, "not run", why="Not run in this run.")
    notebook = plan.home / node.notebook
    if not store.is_current(plan.charter, folder, node.stage, notebook, node.needs, result["parameters"]):
        return _record(node, "not run", why="Out of date: run this stage again.")
    if result["finished"]:
        return _kept(folder, node)
    records = earlier.get("stages", []) if earlier else []
    known = next((record["error"] for record in records if record["stage"] == node.stage), None)
    error = known or _error("Stopped", "The stage was stopped before its end: run it again.")
    kept = _kept(folder, node)
    return _record(node, "failed", error=error, notebook=kept["notebook"], html=kept["html"])


def _kept(folder: Path, node: Node) -> dict[str, Any]:
    has_page = (folder / node.html).is_file()
    return _record(node, "kept", notebook=node.name, html=node.html if has_page else None)


def _error(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "source": "", "cell": None, "cell_id": None}


def _record(node: Node, status: str, why: str = "", **more: Any) -> dict[str, Any]:
    if status == "failed":
        why = "The stage broke before this question."
    empty = {"seconds": None, "notebook": None, "html": None, "error": None}
    return {"stage": node.stage, "title": node.title, "own": node.own, "status": status, "why": why, **empty, **more}


def _execute(plan: _Plan, folder: Path, node: Node) -> tuple[dict[str, Any], bool]:
    """Execute one notebook and write its page; say also whether it was stopped by hand."""
    from lab2live.reporting import html

    # what an earlier attempt found must not stand for what this one does not get to
    store.result_path(folder, node.stage).unlink(missing_ok=True)
    target = folder / node.name
    target.unlink(missing_ok=True)
    project = DEMO if plan.charter.file == DEMO_CHARTER else str(plan.charter.file)
    given = {**plan.parameters[node.stage], "project": project, "run_dir": str(folder)}
    outcome = notebooks.execute(
        plan.home / node.notebook,
        target,
        given,
        plan.charter.folder,
        lambda done, total: plan.progress.cell(node, done, total),
    )
    result = store.read_result(folder, node.stage)
    error = outcome.error
    if error is None and not (result and result["finished"]):
        error = _error("Unfinished", "The notebook ran to its end without `run.close()`, which belongs there.")
    record = _record(node, "failed" if error else "done", seconds=outcome.seconds, error=error)
    if target.is_file():
        html.export_notebook(target, folder / node.html, f"{node.title}: {plan.charter.project.name}")
        record |= {"notebook": node.name, "html": node.html}
    return record, outcome.stopped


def _now() -> dt.datetime:
    return dt.datetime.now().astimezone().replace(microsecond=0)
