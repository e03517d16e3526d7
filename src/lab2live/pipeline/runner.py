"""The notebooks as a graph, executed by papermill: progress, resume, fail-fast, and a readable run whatever happens."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lab2live import files
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
        Where it lies; one of the journey's own relative to the folder that `home_of` finds.
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


SMOKE = {"sample": 2500}
SMOKE_POC = {**SMOKE, "folds": 3, "repeats": 1, "budget": 6, "resamples": 100}

JOURNEY = (
    Node("eda", "notebooks/01_eda.ipynb", "Data", (), SMOKE),
    Node("poc", "notebooks/02_poc.ipynb", "Proof of concept", ("eda",), SMOKE_POC),
    Node("explainability", "notebooks/03_explainability.ipynb", "Trust", ("eda", "poc"), SMOKE),
    Node("handoff", "notebooks/04_handoff.ipynb", "Handoff", ("eda", "poc", "explainability"), SMOKE),
)


def _now() -> dt.datetime:
    return dt.datetime.now().astimezone().replace(microsecond=0)


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
        place = str(charter.folder / entry.file)  # the others may be executed from another folder
        found.append(Node(stage, place, stage.replace("_", " ").capitalize(), tuple(entry.needs), SMOKE, own=True))
    return tuple(found)


def home_of(charter: Charter) -> Path:
    """Find the folder whose `notebooks/` are executed: the project; for the demo or a charter alone, the shipped."""
    missing = [node.name for node in JOURNEY if not (charter.folder / node.notebook).is_file()]
    if charter.file == DEMO_CHARTER or len(missing) == len(JOURNEY):
        return notebooks.SHIPPED.parent
    if missing:
        problem, fix = "The notebooks are not where they should be.", "restore them: git checkout notebooks"
        raise UserError(problem, where=charter.folder / "notebooks", expected=", ".join(missing), fix=fix)
    return charter.folder


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
    known = [node.stage for node in nodes]
    for name in [*(overrides or {}), only]:
        if name not in (*known, None):
            raise UserError("There is no such stage.", found=name, expected=", ".join(known), fix="use one of these")
    parameters = {node.stage: _parameters(node, home, smoke, (overrides or {}).get(node.stage, {})) for node in nodes}
    work = _Run(charter, nodes, home, parameters, only, smoke, force, keep_going, progress or Progress())
    earlier = work.choose(run_dir)
    if earlier != work.folder:
        with store.claim(work.folder):
            if earlier is not None:
                store.take_over(earlier, work.folder)
            work.execute()
    else:  # nothing has changed
        for node in nodes:
            work.progress.ended(node, work.as_it_is(node, {}))
    return work.folder


def _parameters(node: Node, home: Path, smoke: bool, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Give a notebook's parameters: its own defaults, then the smoke values, then the overrides.

    papermill would only warn about a parameter that is not there.
    """
    notebook = home / node.notebook
    if not notebook.is_file():
        raise UserError("A notebook that the charter names is not there.", where=notebook, fix="correct `notebooks`")
    defaults = notebooks.declared_parameters(notebook)
    for name in overrides:
        if name not in defaults:
            fix = f"use one of its own{nearest(name, defaults)}"
            raise UserError("The notebook has no such parameter.", where=notebook, found=name, fix=fix)
        if name in ("project", "run_dir"):
            fix = f"use --{name.replace('_', '-')}"
            raise UserError("This parameter is set by the run itself.", where=notebook, found=name, fix=fix)
    return {**defaults, **{name: node.smoke[name] for name in defaults if smoke and name in node.smoke}, **overrides}


@dataclass
class _Run:
    """One call of `run`: what it was asked for, what is known so far, and how it is written down after every stage."""

    charter: Charter
    nodes: tuple[Node, ...]
    home: Path
    parameters: Mapping[str, Mapping[str, Any]]
    only: str | None
    smoke: bool
    force: bool
    keep_going: bool
    progress: Progress
    folder: Path = Path()
    started: dt.datetime = field(default_factory=_now)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def choose(self, wanted: Path | None) -> Path | None:
        """Choose the folder; give the earlier run that it takes over, which is itself if there is nothing to do."""
        if wanted is not None and wanted.resolve() == (self.home / "notebooks").resolve():
            problem = "The run folder holds the notebooks themselves, which a run must not overwrite."
            raise UserError(problem, where=wanted.resolve(), fix="name another --run-dir")
        newest = wanted.resolve() if wanted else store.newest_in(self.charter.folder)
        facts = _facts(newest)
        anew = self.force and self.only is None and wanted is None
        alike = facts is not None and not anew and self.is_alike(facts)
        if facts is None or facts.get("state") != "finished":
            self.folder = store.create(self.charter, newest if alike else wanted)
            return None
        self.folder = newest or Path()
        if alike and not self.force and self.is_settled(facts):
            return newest
        if wanted is not None:
            problem = "This run is finished, and a finished run is never written again."
            raise UserError(problem, where=newest, fix="leave out --run-dir, or name a new folder")
        self.folder = store.create(self.charter, None)
        return newest if alike else None

    def is_alike(self, facts: Mapping[str, Any]) -> bool:
        """Say whether an earlier run is this project's and about the same kind of data."""
        charter = self.charter
        ours = (charter.project.name, charter.is_demo, charter.stand_ins, self.smoke)
        names = ("project", "demo", "stand_ins", "smoke")
        return all(facts.get(name, value) == value for name, value in zip(names, ours, strict=True))

    def is_settled(self, facts: Mapping[str, Any]) -> bool:
        """Say whether a finished run would find the same again, and all that is asked for."""
        if store.unhashable(self.charter):
            return False  # nobody can say whether a database has changed: it is read again
        status = {record["stage"]: record["status"] for record in facts["stages"]}
        ran = [node for node in self.nodes if self.keep_going or status.get(node.stage) != "not run"]
        wanted = [node for node in self.nodes if node.stage == self.only] if self.only else ran
        return status.keys() == self.parameters.keys() and all(self.is_done(node) for node in wanted)

    def is_current(self, node: Node, parameters: Mapping[str, Any]) -> bool:
        """Say whether what the run has of a stage is still what it would find."""
        notebook = self.home / node.notebook
        return store.is_current(self.charter, self.folder, node.stage, notebook, node.needs, parameters)

    def is_done(self, node: Node) -> bool:
        result = store.read_result(self.folder, node.stage)
        return bool(result and result["finished"]) and self.is_current(node, self.parameters[node.stage])

    def execute(self) -> None:
        """Execute in a folder that is chosen and claimed."""
        notebooks.prepare_kernels([PACKAGE_FOLDER.parent, self.charter.folder / "src"])
        keeps = not self.force and not store.unhashable(self.charter)
        earlier, stopped = _facts(self.folder) or {}, False
        others = [node for node in self.nodes if self.only not in (None, node.stage)]
        self.records = {node.stage: self.as_it_is(node, earlier) for node in others}
        self.write("running")  # from here on there is a page to read, even if this process is killed
        for node in (node for node in self.nodes if node not in others):
            blocker = "" if self.keep_going or self.only else self.blocker(node)
            renewed = any(self.records.get(need, {}).get("status") in ("done", "failed") for need in node.needs)
            if blocker:
                self.records[node.stage] = _record(node, "not run", why=blocker)
            elif keeps and not renewed and self.is_done(node):
                self.records[node.stage] = self.kept(node)
            else:
                self.progress.started(node)
                self.records[node.stage], stopped = self.execute_one(node)
            self.progress.ended(node, self.records[node.stage])
            if stopped:
                break
            self.write("running")
        self.records |= {node.stage: self.as_it_is(node, earlier) for node in others}
        statuses = [record["status"] for record in self.records.values()]
        # with one stage asked for, those that were not run can still be added
        unfinished = self.only is not None and "not run" in statuses
        ended = "broken" if "failed" in statuses else "partial" if unfinished else "finished"
        self.write("stopped" if stopped else ended)
        if stopped:
            raise KeyboardInterrupt

    def execute_one(self, node: Node) -> tuple[dict[str, Any], bool]:
        """Execute one notebook and write its page; say also whether it was stopped by hand."""
        from lab2live.reporting import html

        charter, target = self.charter, self.folder / node.name
        # what an earlier attempt found must not stand for what this one does not get to
        for path in (store.result_path(self.folder, node.stage), target):
            path.unlink(missing_ok=True)
        project = DEMO if charter.file == DEMO_CHARTER else str(charter.file)
        given = {**self.parameters[node.stage], "project": project, "run_dir": str(self.folder)}
        outcome = notebooks.execute(
            self.home / node.notebook, target, given, charter.folder, partial(self.progress.cell, node)
        )
        result = store.read_result(self.folder, node.stage)
        error = outcome.error
        if error is None and not (result and result["finished"]):
            error = _error("Unfinished", "The notebook ran to its end without `run.close()`, which belongs there.")
        record = _record(node, "failed" if error else "done", seconds=outcome.seconds, error=error)
        if target.is_file():
            html.export_notebook(target, self.folder / node.html, f"{node.title}: {charter.project.name}")
            record |= {"notebook": node.name, "html": node.html}
        return record, outcome.stopped

    def kept(self, node: Node) -> dict[str, Any]:
        """Describe a stage that stands as it was found earlier."""
        has_page = (self.folder / node.html).is_file()
        return _record(node, "kept", notebook=node.name, html=node.html if has_page else None)

    def as_it_is(self, node: Node, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """Describe a stage that is not to be executed: what this run has of it, from whichever parameters."""
        result = store.read_result(self.folder, node.stage)
        if result is None or not self.is_current(node, result["parameters"]):
            why = "Not run in this run." if result is None else "Out of date: run this stage again."
            return _record(node, "not run", why=why)
        if result["finished"]:
            return self.kept(node)
        known = [record["error"] for record in earlier.get("stages", ()) if record["stage"] == node.stage]
        stopped = _error("Stopped", "The stage was stopped before its end: run it again.")
        why = "The stage broke before this question."
        return {**self.kept(node), "status": "failed", "why": why, "error": next(iter(known), None) or stopped}

    def results(self) -> dict[str, dict[str, Any]]:
        """Read what the stages of this run found; a stage that is out of date does not count."""
        names = [name for name, record in self.records.items() if record["status"] != "not run"]
        found = {name: store.read_result(self.folder, name) for name in names}
        return {name: result for name, result in found.items() if result is not None}

    def blocker(self, node: Node) -> str:
        """Say why a stage cannot run: something it needs broke, was stopped, or failed a gate that must pass."""
        results = self.results()
        for need in node.needs:
            status = self.records.get(need, {}).get("status")
            if status in ("failed", "not run"):
                what = "broke" if status == "failed" else "did not run"
                return f"Not run: `{need}` {what}, and this stage depends on it."
            for gate in results.get(need, {}).get("gates", []):
                if gate["must_pass"] and gate["status"] == "fail":
                    return f"Not run: `{gate['id']}` must pass and failed (--keep-going runs it all the same)."
        return ""

    def write(self, state: str) -> None:
        """Write verdict and index page from what is there now."""
        from lab2live.reporting import html

        charter, results = self.charter, self.results()
        records = [self.records.get(node.stage) or _record(node, "not run", why="Not run yet.") for node in self.nodes]
        why_not = {record["stage"]: record["why"] for record in records if record["why"]}
        for record in records:
            found = results.get(record["stage"], {})
            record["figures"], record["artefacts"] = found.get("figures", []), found.get("artefacts", [])
        facts = {
            "id": self.folder.name,
            "state": state,
            "project": charter.project.name,
            "question": charter.project.description,
            "started": self.started.isoformat(),
            "finished": _now().isoformat(),
            "seconds": round((_now() - self.started).total_seconds(), 1),
            "smoke": self.smoke,
            "seed": next((result["parameters"]["seed"] for result in results.values()), 0),
            "versions": store.versions(),
            "inputs": store.inputs(charter),
            "stages": [{key: value for key, value in record.items() if key != "why"} for record in records],
        }
        own, problems = hooks.own_gates(charter)
        content = decision.compose(charter, results, why_not, facts, own.values(), problems)
        files.write_json(self.folder / decision.FILE, content)
        files.write_bytes(self.folder / CHARTER, charter.file.read_bytes())
        learnt = [text for result in results.values() for text in result.get("learnt", ())]
        files.write_text(self.folder / decision.LESSONS, decision.lessons(content, learnt))
        html.write_index(self.folder)


def _facts(folder: Path | None) -> dict[str, Any] | None:
    """Give the facts of an earlier run; none if its verdict is damaged, `None` if there is no run of this version."""
    if folder is None or not (folder / decision.FILE).is_file():
        return None
    try:
        facts: dict[str, Any] = decision.read(folder)["run"]
    except UserError:  # nothing is lost: what the stages found lies in files of their own
        return {}
    return facts if "state" in facts else None


def _error(name: str, message: str) -> dict[str, Any]:
    return {"name": name, "message": message, "source": "", "cell": None, "cell_id": None}


def _record(node: Node, status: str, why: str = "", **more: Any) -> dict[str, Any]:
    if status == "failed":
        why = "The stage broke before this question."
    empty = {"seconds": None, "notebook": None, "html": None, "error": None}
    return {"stage": node.stage, "title": node.title, "own": node.own, "status": status, "why": why, **empty, **more}
