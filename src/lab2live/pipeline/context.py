"""One notebook's run: which project and which run it belongs to, what it found, and how it says so."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import display

from lab2live import files
from lab2live.charter import gates
from lab2live.charter import loading as charters
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.reporting import display as report
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The version of the results files' layout: readers can tell what they hold.
VERSION = 1
INTERACTIVE = Path("runs") / "interactive"
# Files larger than this are recognised by size and time of change instead of by content.
LARGEST_HASHED = 64 * 2**20
# Keys of a results file that belong to the stage itself; evidence uses other names.
RESERVED = ("version", "stage", "finished", "fingerprint", "parameters", "gates", "figures", "artefacts")


@dataclass
class Stage:
    """What a notebook holds on to from its first cell to its last.

    Everything it learns is written to `results/<stage>.json` at once, so that a notebook that breaks in the middle
    loses nothing it has already found.
    """

    name: str
    charter: Charter
    folder: Path
    sample: int | None
    seed: int
    parameters: dict[str, Any]
    fingerprint: str
    evidence: dict[str, Any] = field(default_factory=dict)
    gates: list[gates.Gate] = field(default_factory=list)
    figures: list[dict[str, str]] = field(default_factory=list)
    artefacts: list[dict[str, str]] = field(default_factory=list)

    def keep(self, **evidence: Any) -> None:
        """Keep evidence for the results file: anything JSON can say, numpy included."""
        for name in evidence:
            if name in RESERVED:
                raise ValueError(f"`{name}` is a key of the results file itself")
        self.evidence |= evidence
        self._write()

    def gate(self, gate_id: str, value: float | None, message: str, evidence: str | None = None) -> None:
        """Judge a gate, keep it and show it. A `None` value is a skip, and `message` says why."""
        judged = gates.judge(gate_id, value, message, evidence=evidence, overrides=self.charter.gates)
        self.gates = [gate for gate in self.gates if gate.id != gate_id] + [judged]
        self._write()
        display(report.gate(judged))

    @property
    def mark(self) -> str:
        """What all that is computed here has to say of itself; empty where the data are the real ones."""
        return mark_of(self.charter)

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as a file of the run, and show it with a text that says what is to be seen."""
        if self.mark:
            figure = plots.stamp(figure, self.mark)
        path = self.path(f"figures/{self.name}-{name}.png")
        files.write_bytes(path, plots.png(figure))
        entry = {"path": self.relative(path), "title": plots.heading(figure), "alt": plots.alt(figure)}
        self.figures = [known for known in self.figures if known["path"] != entry["path"]] + [entry]
        self._write()
        display(plots.show(figure))

    def artefact(self, path: Path, title: str) -> None:
        """Name a file that this stage wrote for others."""
        entry = {"path": self.relative(path), "title": f"{title} ({self.mark})" if self.mark else title}
        self.artefacts = [known for known in self.artefacts if known["path"] != entry["path"]] + [entry]
        self._write()

    def path(self, name: str) -> Path:
        """Say where an artefact of this run goes."""
        path = self.folder / "artefacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def relative(self, path: Path) -> str:
        """Name a path as a link from the run folder."""
        return path.relative_to(self.folder).as_posix()

    def upstream(self, name: str) -> dict[str, Any] | None:
        """Give what an earlier stage of this run found, or `None` if that is missing, unfinished or out of date."""
        result = read_result(self.folder, name)
        if result is None or not result["finished"]:
            return None
        parameters = {**result["parameters"], "sample": self.sample, "seed": self.seed}
        return result if result["fingerprint"] == fingerprint(self.charter, name, parameters) else None

    def close(self) -> None:
        """Mark the stage as finished and show its gates."""
        self._write(finished=True)
        timed = [gate for gate in self.gates if gates.CATALOGUE[gate.id].timed]
        display(report.gates([gate for gate in self.gates if gate not in timed]))
        if timed:
            names = ", ".join(gate.id for gate in timed)
            display(report.say(f"Times differ from run to run, so these are shown above and in the verdict: {names}."))

    def _write(self, finished: bool = False) -> None:
        content = {
            "version": VERSION,
            "stage": self.name,
            "finished": finished,
            "fingerprint": self.fingerprint,
            "parameters": self.parameters,
            "gates": [gate.as_dict() for gate in self.gates],
            "figures": self.figures,
            "artefacts": self.artefacts,
            **self.evidence,
        }
        files.write_json(result_path(self.folder, self.name), content)


def begin(
    name: str,
    project: str | None = None,
    run_dir: str | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    **own: Any,
) -> Stage:
    """Start a stage: the first call of a notebook, with its parameters.

    Parameters
    ----------
    name
        One of `gates.STAGES`.
    project
        See `charter.find`.
    run_dir
        The run's own folder; `None` for `runs/interactive` beside the charter.
    sample
        Use this many rows of the joined table at most.
    seed
        For everything that draws at random.
    **own
        The stage's own parameters: part of what makes two runs the same.

    Returns
    -------
    Stage
    """
    if sample is not None and (not isinstance(sample, int) or sample < 1):
        raise UserError("`sample` must be a number of rows.", found=sample, expected="at least 1, or None for all rows")
    if not isinstance(seed, int) or seed < 0:
        raise UserError("`seed` must be a whole number.", found=seed, expected="0 or more")
    charter = charters.find(project)
    # Set here too, so that a notebook opened by hand does not phone home either.
    os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "1"
    parameters = {"sample": sample, "seed": seed, **own}
    folder = Path(run_dir).resolve() if run_dir else charter.folder / INTERACTIVE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "The run folder cannot be created.", where=folder, found=error, fix="name another `run_dir`"
        ) from None
    stage = Stage(name, charter, folder, sample, seed, parameters, fingerprint(charter, name, parameters))
    report.mark(mark_of(charter))
    display(report.style())
    for banner in banners(charter, sample):
        display(banner)
    return stage


def mark_of(charter: Charter) -> str:
    """Say which sources are not the real thing, for every table, gate, figure and file computed with them."""
    return f"on stand-in data: {', '.join(charter.stand_ins)}" if charter.stand_ins else ""


def banners(charter: Charter, sample: int | None) -> list[report.Html]:
    """Say what the reader must know before any number: that it is the demo, a stand-in, or a sample."""
    found = []
    if charter.is_demo:
        found.append(report.banner("Demo", "Every number here is about a simulated telecom company.", kind="demo"))
    if charter.stand_ins:
        names = ", ".join(charter.stand_ins)
        found.append(report.banner("Stand-in data", f"Not the real thing yet: {names}.", kind="warn"))
    if sample is not None:
        found.append(report.banner("Sample", f"Computed on {sample:,} rows at most.", kind="info"))
    return found


def result_path(folder: Path, name: str) -> Path:
    """Say where a stage of a run writes what it found."""
    return folder / "results" / f"{name}.json"


def read_result(folder: Path, name: str) -> dict[str, Any] | None:
    """Read what a stage of a run found, or `None` if it has not written anything that can be read.

    A file that somebody has damaged, or that another version wrote, is as good as missing: the stage runs again.
    """
    try:
        content = files.read_json(result_path(folder, name))
    except UserError:
        return None
    sound = isinstance(content, dict) and content.get("version") == VERSION and content.keys() >= set(RESERVED)
    return content if sound else None


def fingerprint(charter: Charter, name: str, parameters: Mapping[str, Any]) -> str:
    """Hash everything a stage's result depends on: charter, data, code and parameters.

    A database behind an address cannot be hashed; it counts as unchanged while its address is.
    """
    digest = hashlib.sha256(f"{VERSION}|{name}|{sorted(parameters.items())!r}".encode())
    digest.update(charter.model_dump_json().encode())
    code = sorted(charters.PACKAGE_FOLDER.rglob("*.py"))
    if charter.project.package:
        code += sorted((charter.folder / "src" / charter.project.package.replace(".", "/")).rglob("*.py"))
    for path in code:
        digest.update(path.read_bytes())
    for address in (address for source in charter.sources for address in source.files):
        try:
            digest.update(_stamp(charter.locate(address)).encode())
        except UserError:  # an unset environment variable: the stage that reads the source says so
            digest.update(b"unreadable")
    return digest.hexdigest()


def _stamp(address: Path | str) -> str:
    if isinstance(address, str):
        return address
    found = sorted(address.rglob("*")) if address.is_dir() else [address]
    stamps = []
    for path in found:
        if not path.is_file():
            stamps.append("missing")
        elif path.stat().st_size <= LARGEST_HASHED:
            stamps.append(hashlib.sha256(path.read_bytes()).hexdigest())
        else:
            stamps.append(f"{path.stat().st_size}-{path.stat().st_mtime_ns}")
    return "|".join(stamps)
