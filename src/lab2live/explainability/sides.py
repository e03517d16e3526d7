"""What it means that a model's output changes: the line that is crossed, or another class."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.charter.schema import Charter, nearest
from lab2live.errors import UserError
from lab2live.reporting.formatting import short

if TYPE_CHECKING:
    from lab2live.data.dataset import Dataset, Problem
    from lab2live.poc.worth.value import Policy


@dataclass(frozen=True)
class Sides:
    """On which side an answer stands.

    Attributes
    ----------
    problem
        What kind of outcome it is.
    classes
        See `cases.Dataset`.
    line
        Of two classes: the probability from which on the output is the second class. In a regression: the stated
        level. `None`: none is stated, or there are more than two classes.
    costs
        Of more than two classes: what each decision costs by true class, shape (true, decided); `None` for the most
        probable class.
    """

    problem: Problem
    classes: tuple[str, ...] = ()
    line: float | None = None
    costs: tuple[tuple[float, ...], ...] | None = None

    @property
    def nothing(self) -> str:
        """Say why there is nothing that could change; empty where there is."""
        if self.problem == "multiclass":
            return ""
        if self.line is None or math.isnan(self.line):
            what = "prediction.decision_level" if self.problem == "regression" else "a line between the classes"
            return f"There is nothing to flip: the charter states no level that matters ({what})."
        if math.isinf(self.line):
            always = self.classes[0 if self.line > 0 else -1] if self.classes else "the same"
            return f"There is nothing to flip: the output is '{always}' for every case, whatever its columns say."
        return ""

    def code(self, answers: np.ndarray) -> np.ndarray:
        """Say on which side each answer stands: 0 below the line and 1 from it on, or the code of the class."""
        if self.problem == "multiclass":
            return np.asarray(self._scores(answers).argmax(axis=1))
        return (np.asarray(answers) >= self.line).astype(int)

    def ahead(self, answers: np.ndarray, own: int, toward: int | None = None) -> np.ndarray:
        """Say how far answers have come from one side toward another, shape (rows,): the higher the further.

        Parameters
        ----------
        answers
            See `models.answer`.
        own, toward
            Codes of sides; without `toward` any other one will do.
        """
        if self.problem != "multiclass":
            return (np.asarray(answers) - self.line) * (-1 if own == 1 else 1)
        scores = self._scores(answers)
        if toward is None:
            return np.asarray(np.delete(scores, own, axis=1).max(axis=1) - scores[:, own])
        return np.asarray(scores[:, toward] - np.delete(scores, toward, axis=1).max(axis=1))

    def named(self, answer: Any) -> str:
        """Write the output that belongs to one answer: a class in quotes, or the number."""
        if self.problem == "regression":
            return short(float(answer), 4)
        return f"'{self.classes[int(self.code(np.asarray([answer]))[0])]}'"

    def find(self, output: str) -> int:
        """Give the code of a class by its name.

        Raises
        ------
        UserError
            If there is no such class.
        """
        if output not in self.classes:
            raise UserError(
                "There is no such output.",
                found=f"`{output}`{nearest(output, self.classes)}",
                expected=" or ".join(self.classes) or "no name: a regression gives numbers",
                fix="name one of them, or none: then any other output will do",
            )
        return self.classes.index(output)

    def _scores(self, answers: np.ndarray) -> np.ndarray:
        return np.asarray(answers if self.costs is None else -np.asarray(answers) @ np.array(self.costs))

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it; infinity and a missing line are text."""
        line = self.line if self.line is None or math.isfinite(self.line) else str(self.line)
        return {**asdict(self), "line": line}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Sides:
        """Read what `to_dict` gave."""
        costs = kept["costs"] and tuple(map(tuple, kept["costs"]))
        line = None if kept["line"] is None else float(kept["line"])
        return cls(kept["problem"], tuple(kept["classes"]), line, costs)


def sides(charter: Charter, data: Dataset, policy: Policy) -> Sides:
    """Say what changes: past the line of the policy, to another class, or past `prediction.decision_level`.

    A capacity makes the decision about one case depend on the others; what is asked here is about one case alone, so
    only the line counts. In a regression it is the model's own number that passes the level.
    """
    if data.problem == "regression":
        return Sides("regression", line=charter.prediction.decision_level)
    if data.problem == "multiclass":
        return Sides("multiclass", data.classes, costs=policy.costs)
    return Sides("binary", data.classes, policy.line)
