"""The folder of a run: which one it is, and what of an earlier attempt in it can be kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.pipeline import context, decision
from lab2live.pipeline.graph import Node
from lab2live.pipeline.latest import LATEST, followed
from lab2live.pipeline.notebooks import source_cells

LOCK = ".lock"


def choose(charter: Charter, run_dir: Path | None, home: Path, *, continues: bool, smoke: bool, force: bool) -> Path:
    """Give the folder for a run: the one asked for, the newest if there is something to continue, else a new one.

    Parameters
    ----------
    charter
        Its `runs` folder holds the runs.
    run_dir
        The folder asked for.
    home
        Where the notebooks lie, which must not be overwritten.
    continues
        Whether a finished run may be continued, too: one stage of it is executed again.
    smoke
        Whether it is on small samples: such results never go into the folder of a full run, nor the other way round.
    force
        Whether everything is executed anyway, so that there is nothing to continue.

    Raises
    ------
    UserError
        If the folder cannot be used.
    """
    runs = charter.folder / "runs"
    newest = latest(charter)
    if run_dir is not None:
        folder = run_dir.resolve()
        if folder == home.resolve():
            raise UserError(
                "The run folder holds the notebooks themselves, which a run must not overwrite.",
                where=folder,
                fix="name another --run-dir",
            )
    elif newest is not None and (continues or not force) and _can_continue(charter, newest, smoke, continues):
        # whoever works there now has not finished it: start another one, unless that very run is meant
        folder = newest if continues or not _is_busy(newest) else _new(runs)
    else:
        folder = _new(runs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "The run folder cannot be created.",
            where=folder,
            found=error,
            expected="a folder one may write to, or a name that is still free",
            fix="name another --run-dir",
        ) from None
    if folder.parent == runs.resolve():
        files.write_text(runs / LATEST, folder.name + "\n")
    return folder


def _new(runs: Path) -> Path:
    name = f"{dt.datetime.now():%Y%m%d-%H%M%S}"
    named = (runs / f"{name}{suffix}" for suffix in ("", *map("-{}".format, range(2, 99))))
    return next(path for path in named if not path.exists())


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run while this one works in it.

    The lock is SQLite's: it works on every system, and ends with the process however that ends.

    Raises
    ------
    UserError
        If another process is at work there.
    """
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise UserError(
                "Another process is working in this run.",
                where=folder,
                fix="wait until it has ended, or start a run of its own: --run-dir DIR",
            ) from None
        yield
    finally:
        lock.close()


def _is_busy(folder: Path) -> bool:
    try:
        with claim(folder):
            return False
    except UserError:
        return True


def latest(charter: Charter) -> Path | None:
    """Give the folder of the project's newest run, if there is one."""
    return newest_in(charter.folder)


def newest_in(project: Path) -> Path | None:
    """Give the newest run in a project's folder, whether or not its charter can be read."""
    folder = followed(project / "runs" / LATEST)
    return folder if folder.is_dir() else None


def before(folder: Path) -> dict[str, Any]:
    """Give the verdict of an earlier attempt in this folder; empty if there is none that can be read."""
    try:
        return decision.read(folder)
    except UserError:  # nothing is lost: what the stages found lies in files of their own
        return {}


def _can_continue(charter: Charter, folder: Path, smoke: bool, finished_too: bool) -> bool:
    """Say whether a run is this project's, about the same kind of data, and has something left to do."""
    facts = before(folder).get("run")
    if facts is None:
        return True
    wanted = {
        "project": charter.project.name,
        "demo": charter.is_demo,
        "stand_ins": charter.stand_ins,
        "smoke": smoke,
    }
    if any(facts.get(name, value) != value for name, value in wanted.items()):
        return False
    return finished_too or any(record["status"] in ("failed", "not run") for record in facts["stages"])


def is_current(charter: Charter, folder: Path, node: Node, home: Path, parameters: Mapping[str, Any]) -> bool:
    """Say whether what a stage of this run found, finished or not, is still what it would find.

    That takes the same charter, data, code and parameters, the same cells, and nothing that it needs found later.
    """
    result, executed = context.read_result(folder, node.stage), folder / node.notebook
    if result is None or not executed.is_file():
        return False
    own = {name: value for name, value in parameters.items() if name not in ("project", "run_dir")}
    if result["fingerprint"] != context.fingerprint(charter, node.stage, own):
        return False
    needed = [context.result_path(folder, name) for name in node.needs]
    age = context.result_path(folder, node.stage).stat().st_mtime_ns
    if any(path.is_file() and path.stat().st_mtime_ns > age for path in needed):
        return False
    return source_cells(executed) == source_cells(home / node.notebook)
