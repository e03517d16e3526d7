"""The gates: every question that a run answers with pass, warn, fail or skip, and how the answer is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any, Literal

from lab2live.charter.yaml import read_yaml
from lab2live.errors import UserError

Status = Literal["pass", "warn", "fail", "skip"]

# The stages of the journey, in their order.
STAGES = ("eda", "poc", "explainability", "handoff")
# What gates of a project's own are called, so that no later version of the library can take their name.
OWN = "own."
_CONTENT: dict[str, Any] = read_yaml(files(__package__).joinpath("gates.yaml").read_text(encoding="utf-8"))
REQUIREMENTS: list[str] = _CONTENT["requirements"]
# Old id of a gate or a finding -> the id it has now, or None where it is gone.
RENAMED: dict[str, str | None] = _CONTENT["renamed"]


@dataclass(frozen=True)
class Gate:
    """What a gate asks, and where its limits lie by default.

    Attributes
    ----------
    id
        Starts with the stage that answers it (`eda.missing_critical`), or with `own.` for a gate of a project's own.
    requirement
        The requirement it gives evidence for, such as `L4a`.
    title, question
        Its name in the field's words, and the question in plain words.
    better
        Whether a `lower` or a `higher` value is better.
    warn, fail
        The last value that still passes, and the last that only warns. `None`: this gate never says so by itself.
    unit
        Of the value: `share` is shown in percent, `severity` is that of the worst finding (1 warns, 2 fails).
    must_pass
        Whether a fail ends the journey with no-go.
    timed
        The value is a measured time, or follows from one: never the same twice, so that no reference holds it.

    Raises
    ------
    UserError
        If it can judge nothing, or warns only beyond the value that fails.
    """

    id: str
    requirement: str
    title: str
    question: str
    better: Literal["lower", "higher"]
    warn: float | None = None
    fail: float | None = None
    unit: str = ""
    must_pass: bool = False
    timed: bool = False

    def __post_init__(self) -> None:
        where = f"gate `{self.id}`"
        if self.better not in ("lower", "higher"):
            expected = "`lower` or `higher`"
            raise UserError("A gate says which values are better.", where=where, found=self.better, expected=expected)
        if self.requirement not in REQUIREMENTS:
            expected = ", ".join(REQUIREMENTS)
            raise UserError("A gate answers a requirement.", where=where, found=self.requirement, expected=expected)
        if self.warn is None and self.fail is None:
            raise UserError("A gate without a limit judges nothing.", where=where, fix="give it `warn`, `fail` or both")
        if self.warn is not None and self.fail is not None and self.is_worse(self.warn, self.fail):
            raise UserError(
                "A gate warns only beyond the value that already fails.",
                where=where,
                found=f"warn {self.warn:g}, fail {self.fail:g}, and {self.better} values are better",
                fix="change one of them; a limit left out is the default",
            )

    @property
    def stage(self) -> str:
        return self.id.partition(".")[0]

    def is_worse(self, value: float, limit: float) -> bool:
        return value > limit if self.better == "lower" else value < limit

    def overridden(self, own: Any) -> Gate:
        """The gate with what the charter says about it; refused if its limits no longer make sense."""
        return self if own is None else replace(self, **own.model_dump(exclude_none=True))


CATALOGUE: dict[str, Gate] = {entry["id"]: Gate(**entry) for entry in _CONTENT["gates"]}


@dataclass(frozen=True)
class GateResult:
    """The answer to one question. Field names are the contract of `verdict.json`.

    `threshold` is the limit that decided: that of `fail` for a fail, else that of `warn`.
    """

    id: str
    requirement: str
    stage: str
    must_pass: bool
    status: Status
    value: float | None
    threshold: float | None
    unit: str
    message: str
    title: str = ""
    question: str = ""
    better: str = "lower"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    gate: Gate | str,
    value: float | None,
    message: str,
    *,
    stage: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> GateResult:
    """Hold a measured value against the limits of a gate.

    Parameters
    ----------
    gate
        The gate, or the id of one in `CATALOGUE`.
    value
        What was measured. `None` or NaN means that it could not be computed: the gate is `skip`, never `pass`.
    message
        What was found, or why nothing could be, as a plain sentence.
    stage
        Which stage answered; by default the one in its id.
    overrides
        The `gates` block of the charter.
    """
    gate = CATALOGUE[gate] if isinstance(gate, str) else gate
    gate = gate.overridden((overrides or {}).get(gate.id))
    value = None if value is None or math.isnan(value) else float(value)
    status: Status = "skip" if value is None else "pass"
    threshold = gate.fail if gate.warn is None else gate.warn
    if value is not None and gate.fail is not None and gate.is_worse(value, gate.fail):
        status, threshold = "fail", gate.fail
    elif value is not None and gate.warn is not None and gate.is_worse(value, gate.warn):
        status = "warn"
    names = ("id", "requirement", "must_pass", "unit", "title", "question", "better")
    said = {name: getattr(gate, name) for name in names}
    return GateResult(
        **said, stage=stage or gate.stage, status=status, value=value, threshold=threshold, message=message
    )
