"""What a notebook holds from its first cell to its last: its project, its run, what it found, and how it shows that."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import display

from lab2live import files
from lab2live.charter import gates, loading
from lab2live.charter.gates import Gate, GateResult
from lab2live.charter.schema import Charter, unknown_gate
from lab2live.errors import UserError
from lab2live.pipeline import hooks, store
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import display as show
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INTERACTIVE = Path("runs") / "interactive"


@dataclass
class RunContext:
    """One stage of a run, as its notebook works on it.

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
    gates: list[GateResult] = field(default_factory=list)
    measures: dict[str, Any] = field(default_factory=dict)
    figures: list[dict[str, str]] = field(default_factory=list)
    artefacts: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def show(self, gate_id: str, evidence: Evidence) -> None:
        """Show what answers a question, judge it, and keep all of it.

        Parameters
        ----------
        gate_id
            A gate of `gates.CATALOGUE`, or an `own.` one of the project's gates.py.
        evidence
            A `None` value is a skip, and its message says why.

        Raises
        ------
        UserError
            If there is no such gate.
        """
        gate, overrides = self._gate(gate_id)
        judged = gates.judge(gate, evidence.value, evidence.message, stage=self.name, overrides=overrides)
        self.gates = [gate for gate in self.gates if gate.id != gate_id] + [judged]
        self.keep(**evidence.data)
        if evidence.table is not None:
            display(show.table(evidence.table, caption=judged.title))
        if evidence.figure is not None:
            self.figure(gate_id.partition(".")[2].replace(".", "-"), evidence.figure)
        display(show.gate(judged))

    def _gate(self, gate_id: str) -> tuple[Gate, Any]:
        """Give a gate and what still moves its limits: own ones come with what the charter says."""
        if gate_id in gates.CATALOGUE:
            return gates.CATALOGUE[gate_id], self.charter.gates
        own, problems = hooks.own_gates(self.charter)
        if gate_id in own:
            return own[gate_id], None
        if problems and gate_id.startswith(gates.OWN) and not own:
            raise UserError(problems[0])
        raise unknown_gate(gate_id, {**gates.CATALOGUE, **own}, where=f"run.show of the stage `{self.name}`")

    def keep(self, **evidence: Any) -> None:
        """Keep evidence for the results file: anything JSON can say, numpy included."""
        if taken := evidence.keys() & set(store.RESERVED):
            raise ValueError(f"`{taken.pop()}` is a key of the results file itself")
        self.evidence |= evidence
        self._write()

    def measure(
        self,
        name: str,
        value: float | None,
        low: float | None = None,
        high: float | None = None,
        level: float | None = None,
        unit: str = "",
    ) -> None:
        """Keep a figure that several pages show, unrounded, under the one name that all of them use.

        Parameters
        ----------
        name
            One of `decision.MEASURES`, or a name of your own.
        value
            `None` where it could not be measured.
        low, high, level
            The ends of its interval, and the probability with which such intervals hold the true value.
        unit
            What it is counted in.
        """
        known = {"value": value, "low": low, "high": high, "level": level, "unit": unit}
        self.measures[name] = None if value is None else known
        self._write()

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as a file of the run, and show it with a text that says what is to be seen."""
        figure = plots.stamp(figure, self.mark)
        path = self.path(f"figures/{self.name}-{name}.png")
        files.write_bytes(path, plots.png(figure))
        self._list(self.figures, path, title=plots.heading(figure), alt=plots.alt(figure))
        display(plots.show(figure))

    def artefact(self, path: Path, title: str) -> None:
        """Name a file that this stage wrote for others."""
        self._list(self.artefacts, path, title=f"{title} ({self.mark})" if self.mark else title)

    def _list(self, known: list[dict[str, str]], path: Path, **words: str) -> None:
        entry = {"path": self.relative(path), **words}
        known[:] = [each for each in known if each["path"] != entry["path"]] + [entry]
        self._write()

    def problem(self, error: UserError) -> None:
        """Say that a piece of the project's own cannot be used: the rest stands, and the verdict tells it."""
        self.problems.append(str(error))
        self._write()
        display(show.banner("A piece of your own was left out", str(error), kind="fail"))

    @property
    def mark(self) -> str:
        """What all that is computed here has to say of itself; empty where the data are the real ones."""
        return mark_of(self.charter)

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
        result = store.read_result(self.folder, name)
        if result is None or not result["finished"]:
            return None
        parameters = {**result["parameters"], "sample": self.sample, "seed": self.seed}
        return result if result["fingerprint"] == store.fingerprint(self.charter, name, parameters) else None

    def close(self) -> None:
        """Mark the stage as finished and show its gates."""
        self._write(finished=True)
        timed = [gate for gate in self.gates if gate.id in gates.CATALOGUE and gates.CATALOGUE[gate.id].timed]
        display(show.gates([gate for gate in self.gates if gate not in timed]))
        if timed:
            names = ", ".join(gate.id for gate in timed)
            display(show.say(f"Times differ from run to run, so these are shown above and in the verdict: {names}."))

    def _write(self, finished: bool = False) -> None:
        content = {
            "version": store.VERSION,
            "stage": self.name,
            "finished": finished,
            "fingerprint": self.fingerprint,
            "parameters": self.parameters,
            "gates": [gate.as_dict() for gate in self.gates],
            "measures": self.measures,
            "figures": self.figures,
            "artefacts": self.artefacts,
            "problems": self.problems,
            **self.evidence,
        }
        files.write_json(store.result_path(self.folder, self.name), content)


def begin(
    name: str,
    project: str | None = None,
    run_dir: str | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    **own: Any,
) -> RunContext:
    """Start a stage: the first call of a notebook, with its parameters.

    Parameters
    ----------
    name
        One of `gates.STAGES`, or what a notebook of your own is called: its file's name without the number.
    project
        See `loading.find`.
    run_dir
        The run's own folder; `None` for `runs/interactive` beside the charter.
    sample
        Use this many rows of the joined table at most.
    seed
        For everything that draws at random.
    **own
        The stage's own parameters: part of what makes two runs the same.
    """
    if sample is not None and (not isinstance(sample, int) or sample < 1):
        raise UserError("`sample` must be a number of rows.", found=sample, expected="at least 1, or None for all rows")
    if not isinstance(seed, int) or seed < 0:
        raise UserError("`seed` must be a whole number.", found=seed, expected="0 or more")
    charter = loading.find(project)
    hooks.forget(charter)
    # Set here too, so that a notebook opened by hand does not phone home either.
    os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "1"
    parameters = {"sample": sample, "seed": seed, **own}
    folder = Path(run_dir).resolve() if run_dir else charter.folder / INTERACTIVE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = "The run folder cannot be created."
        raise UserError(problem, where=folder, found=error, fix="name another `run_dir`") from None
    run = RunContext(name, charter, folder, sample, seed, parameters, store.fingerprint(charter, name, parameters))
    show.mark(mark_of(charter))
    display(show.style())
    for banner in banners(charter, sample):
        display(banner)
    return run


def mark_of(charter: Charter) -> str:
    """Say which sources are not the real thing, for every table, gate, figure and file computed with them."""
    return f"on stand-in data: {', '.join(charter.stand_ins)}" if charter.stand_ins else ""


def banners(charter: Charter, sample: int | None) -> list[show.Html]:
    """Say what the reader must know before any number: that it is the demo, a stand-in, or a sample."""
    found = []
    if charter.is_demo:
        found.append(show.banner("Demo", "Every number here is about a simulated telecom company.", kind="demo"))
    if charter.stand_ins:
        names = ", ".join(charter.stand_ins)
        found.append(show.banner("Stand-in data", f"Not the real thing yet: {names}.", kind="warn"))
    if sample is not None:
        found.append(show.banner("Sample", f"Computed on {sample:,} rows at most.", kind="info"))
    return found
