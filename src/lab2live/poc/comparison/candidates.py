"""The candidates on the ladder: what needs no learning, and models from the simplest upwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import models
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import label
from lab2live.errors import UserError
from lab2live.pipeline import hooks

Rule = Callable[[pd.DataFrame], np.ndarray]
# What the rule that came with the template is called: nobody uses it today.
EXAMPLE = "Generated example rule"


@dataclass(frozen=True)
class Candidate:
    """What stands on a rung: a factory of models, or a function that needs no model.

    Attributes
    ----------
    name, title
        In results and on pages.
    explained
        How its answers are explained.
    make
        Gives an unfitted model.
    answer
        Takes the data set, the rows to learn from and the rows to answer.
    """

    name: str
    title: str
    explained: str
    make: Callable[[], Any] | None = None
    answer: Callable[[Dataset, np.ndarray, np.ndarray], np.ndarray] | None = None


def candidates(charter: Charter, data: Dataset, settings: Mapping[str, Any], seed: int) -> tuple[list[Candidate], str]:
    """List the candidates, simplest first.

    Parameters
    ----------
    charter, data
        The rule is the one of the charter's package.
    settings
        Of boosting, see `tuning`.
    seed
        Of everything that is drawn.

    Returns
    -------
    candidates, no_rule
        And why there is no rung for a business rule; empty if there is one.
    """
    rule, no_rule = _rule(charter, data)
    found = [Candidate("constant", "Always the same answer", "nothing to explain", answer=_constant)]
    if rule is not None:
        title = EXAMPLE if hooks.rule_is_example(charter) else "Today's business rule"
        found.append(Candidate("rule", title, "the rule itself", answer=_by_rule(rule)))
    found += [
        Candidate("linear", "Linear model", "one weight per column", make=lambda: models.linear(data)),
        Candidate("additive", "Additive model", "one curve per column", make=lambda: models.additive(data, seed)),
        Candidate(
            "boosting", "Gradient boosting", "case by case only", make=lambda: models.boosting(data, seed, settings)
        ),
    ]
    return found, no_rule


def ask(candidate: Candidate, data: Dataset, learn: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, Any]:
    """Let a candidate learn from some rows and answer others, see `Answers`; gives the fitted model, too."""
    if candidate.make is None:
        assert candidate.answer is not None
        return candidate.answer(data, learn, rows), None
    model = models.fit(candidate.make(), data, learn)
    return models.answer(model, models.inputs_of(model, data).iloc[rows]), model


def _constant(data: Dataset, learn: np.ndarray, rows: np.ndarray) -> np.ndarray:
    known = data.outcome[learn]
    if data.problem != "multiclass":
        return np.full(len(rows), known.mean())
    return np.tile(np.bincount(known, minlength=len(data.classes)) / len(known), (len(rows), 1))


def _by_rule(rule: Rule) -> Callable[[Dataset, np.ndarray, np.ndarray], np.ndarray]:
    return lambda data, _, rows: rule(data.raw.iloc[rows])


def _rule(charter: Charter, data: Dataset) -> tuple[Rule | None, str]:
    rule = hooks.rule(charter)
    if rule is None:
        return None, "The charter names no package with a business rule (project.package)."
    if data.problem != "multiclass":
        return lambda frame: np.asarray(rule(frame), dtype=float), ""

    def coded(frame: pd.DataFrame) -> np.ndarray:
        said = [label(value) for value in rule(frame)]
        strangers = sorted(set(said) - set(data.classes))
        if strangers:  # counted as wrong they would make a rule that is easy to beat
            raise UserError(
                "The business rule answers with a class that the target does not have.",
                where="rules.py of the project's package, `score`",
                found=", ".join(strangers[:5]),
                expected=", ".join(data.classes),
                fix="with more than two classes `score` gives one class per row, written as in the data",
            )
        return np.array([[float(name == answer) for name in data.classes] for answer in said]).reshape(
            len(said), len(data.classes)
        )

    return coded, ""
