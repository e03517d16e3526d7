"""The run store: which folder a run has, what of an earlier one still holds, and what a result depends on."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from lab2live import files, wheel
from lab2live.charter.schema import Charter, Source
from lab2live.errors import UserError
from lab2live.pipeline.notebooks import source_cells

# The version of the results files' layout: readers can tell what they hold.
VERSION = 2
LATEST = "latest"
LOCK = ".lock"
# Keys of a results file that belong to the stage itself; evidence uses other names.
RESERVED = (
    *("version", "stage", "finished", "fingerprint", "parameters", "gates", "measures", "figures", "artefacts"),
    "problems",
)
# Files larger than this are recognised by size and time of change instead of by content.
LARGEST_HASHED = 64 * 2**20
# Addresses whose content follows from the charter and this library alone.
REPEATABLE = re.compile(r"(demo|simulated)://")
# The libraries on whose versions results depend.
LIBRARIES = (
    *("pandas", "numpy", "scipy", "scikit-learn", "shap", "skl2onnx", "onnxruntime", "skops"),
    *("ibis-framework", "duckdb", "pyarrow", "ydata-profiling", "papermill", "nbclient"),
)


def result_path(folder: Path, stage: str) -> Path:
    """Say where a stage of a run writes what it found."""
    return folder / "results" / f"{stage}.json"


def read_result(folder: Path, stage: str) -> dict[str, Any] | None:
    """Read what a stage of a run found, or `None` if it has not written anything that can be read.

    A file that somebody has damaged, or that another version wrote, is as good as missing: the stage runs again.
    """
    try:
        content = files.read_json(result_path(folder, stage))
    except UserError:
        return None
    sound = isinstance(content, dict) and content.get("version") == VERSION and content.keys() >= set(RESERVED)
    return content if sound else None


def followed(path: Path) -> Path:
    """Give the run that `runs/latest` names, or any other path as it is."""
    if path.name != LATEST or not path.is_file():
        return path
    name = path.read_text(encoding="utf-8", errors="replace").strip()
    return path.parent / name if name and name.isprintable() else path


def newest_in(project: Path) -> Path | None:
    """Give the newest run in a project's folder, whether or not its charter can be read."""
    folder = followed(project / "runs" / LATEST)
    return folder if folder.is_dir() else None


def create(charter: Charter, wanted: Path | None) -> Path:
    """Make the folder of a run, a new one under `runs/` unless one is asked for, and let `runs/latest` name it.

    Raises
    ------
    UserError
        If the folder cannot be made.
    """
    runs = (charter.folder / "runs").resolve()
    named = (runs / f"{dt.datetime.now():%Y%m%d-%H%M%S}{suffix}" for suffix in ("", *map("-{}".format, range(2, 99))))
    folder = wanted.resolve() if wanted else next(path for path in named if not path.exists())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem, expected = (
            "The run folder cannot be created.",
            "a folder one may write to, or a name that is still free",
        )
        raise UserError(problem, where=folder, found=error, expected=expected, fix="name another --run-dir") from None
    if folder.parent == runs:
        files.write_text(runs / LATEST, folder.name + "\n")
    return folder


def take_over(earlier: Path, folder: Path) -> None:
    """Copy an earlier run into a new folder, so that what still holds need not be executed again.

    Times of change are kept: they say which stage ran after which.
    """
    shutil.copytree(earlier, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LOCK))


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run while this one works in it; the lock ends with the process, however it ends.

    Raises
    ------
    UserError
        If another process is at work there.
    """
    from filelock import FileLock, Timeout

    try:
        held = FileLock(folder / LOCK, timeout=0).acquire()
    except Timeout:
        fix = "wait until it has ended, or start a run of its own: --run-dir DIR"
        raise UserError("Another process is working in this run.", where=folder, fix=fix) from None
    with held:
        yield


def is_current(
    charter: Charter, folder: Path, stage: str, notebook: Path, needs: Sequence[str], parameters: Mapping[str, Any]
) -> bool:
    """Say whether what a stage of this run found, finished or not, is still what it would find.

    That takes the same charter, data, code, library versions and parameters, the same cells, and nothing that it needs
    found later.
    """
    result, executed = read_result(folder, stage), folder / notebook.name
    if result is None or not executed.is_file():
        return False
    own = {name: value for name, value in parameters.items() if name not in ("project", "run_dir")}
    if result["fingerprint"] != fingerprint(charter, stage, own):
        return False
    age = result_path(folder, stage).stat().st_mtime_ns
    needed = [result_path(folder, need) for need in needs]
    if any(path.is_file() and path.stat().st_mtime_ns > age for path in needed):
        return False
    return source_cells(executed) == source_cells(notebook)


def fingerprint(charter: Charter, stage: str, parameters: Mapping[str, Any]) -> str:
    """Hash everything a stage's result depends on: see `inputs`, its parameters, and what is accepted no longer."""
    today = dt.date.today()
    ended = [entry.check for entry in charter.accepted if entry.until is not None and entry.until < today]
    known = (VERSION, stage, sorted(parameters.items()), inputs(charter), versions(), ended)
    return _hash(repr(known).encode())


def inputs(charter: Charter) -> dict[str, str]:
    """Give a hash of the charter, of each file of the project's own code, of its packages, and of every source.

    What lies behind an address cannot be hashed, see `unhashable`: within one run it counts as unchanged.
    """
    own = charter.folder / "src" / (charter.project.package or "").replace(".", "/")
    found = sorted(own.rglob("*.py")) if charter.project.package else []
    code = [path for path in found if not any(part.startswith(".") for part in path.relative_to(own).parts)]
    packages = charter.folder / "requirements-own.lock"
    known = {
        "charter": _hash(charter.model_dump_json().encode()),
        **{f"code {path.relative_to(own).as_posix()}": _hash(path.read_bytes()) for path in code},
        "packages": _hash(packages.read_bytes() if packages.is_file() else b""),
    }
    for source in charter.sources:
        places = _places(charter, source)
        stamps = [_stamp(place) if isinstance(place, Path) else place for place in places]
        known[f"source {source.name}"] = _hash("|".join(stamps).encode())
    return known


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def unhashable(charter: Charter) -> list[str]:
    """List the addresses whose content may change without anybody noticing: databases and remote files."""
    places = [place for source in charter.sources for place in _places(charter, source)]
    return [place for place in places if isinstance(place, str) and place and not REPEATABLE.match(place)]


def _places(charter: Charter, source: Source) -> list[Path | str]:
    """Say where everything lies that a source's content depends on: also the rows it is simulated from."""
    learnt = charter.simulate.sample.get(source.name)
    return [_place(charter, address) for address in [*source.files, *([learnt] if learnt else [])]]


def _place(charter: Charter, address: str) -> Path | str:
    """Say where an address leads: a file, also that of a database in a file, or an address as it is."""
    try:
        place = charter.locate(address)
    except UserError:  # an unset environment variable: the stage that reads the source says so
        return ""
    inside = re.fullmatch(r"(?:sqlite|duckdb):///?([^?]+)(?:\?.*)?", place) if isinstance(place, str) else None
    return charter.folder / inside[1] if inside and (charter.folder / inside[1]).is_file() else place


def _stamp(address: Path) -> str:
    stamps = []
    for path in sorted(address.rglob("*")) if address.is_dir() else [address]:
        if not path.is_file():
            stamps.append("missing")
        elif path.stat().st_size <= LARGEST_HASHED:
            stamps.append(_hash(path.read_bytes()))
        else:
            stamps.append(f"{path.stat().st_size}-{path.stat().st_mtime_ns}")
    return "|".join(stamps)


@cache
def versions() -> dict[str, str]:
    """Give the versions that results depend on: Python, lab2live with a hash of its content, and the libraries."""
    found = {"python": platform.python_version(), "lab2live": wheel.version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
