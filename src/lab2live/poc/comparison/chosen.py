"""The chosen model: kept as an artefact of the run, and taken from there as long as nothing has changed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab2live import files
from lab2live.data import models
from lab2live.data.dataset import Dataset
from lab2live.data.splits import Split
from lab2live.pipeline.context import RunContext
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.comparison import ladder
from lab2live.poc.comparison.trust import load
from lab2live.poc.comparison.trust import trusted as trusted
from lab2live.poc.comparison.trust import trusted_types as trusted_types
from lab2live.poc.worth import value
from lab2live.reporting.formatting import amount

MODEL_FILE = "model.skops"
ANSWERS_FILE = "answers.npy"
# Answers that differ by less are the same: sums of floats depend on the order in which threads add them.
SAME = 1e-9


@dataclass(frozen=True)
class Chosen:
    """The model that goes on, what it answered, and how its answers become decisions.

    Attributes
    ----------
    name
        The rung of the ladder on which it stands.
    model
        The pipeline, fitted on the training part.
    out_of_fold
        What it answered about the cases of the training part without having learnt from them, see `poc.answers`.
    policy
        Learnt from the answers out of fold.
    from_run
        Whether all this was taken from the run; else it was computed again.
    """

    name: str
    model: Any
    out_of_fold: np.ndarray
    policy: value.Policy
    from_run: bool

    @property
    def sentence(self) -> str:
        """Say where the model comes from."""
        if self.from_run:
            return "The model is the one this run chose."
        return "This run has no current model: it was fitted again."


def save(stage: RunContext, climb: ladder.Climb) -> None:
    """Keep the chosen model and its answers as artefacts of the run, in formats that run no code when they are read."""
    import skops.io

    path, answers = stage.path(MODEL_FILE), stage.path(ANSWERS_FILE)
    files.write_bytes(path, skops.io.dumps(climb.model))
    stage.artefact(path, "The chosen model (skops)")
    name, content = climb.ladder.chosen, io.BytesIO()
    np.save(content, climb.answers.out_of_fold[name], allow_pickle=False)
    files.write_bytes(answers, content.getvalue())


def fitted(stage: RunContext, data: Dataset, split: Split) -> Chosen:
    """Give the chosen model: from this run if it is up to date, else by climbing the ladder again."""
    result = stage.upstream("poc")
    model, answers = stage.path(MODEL_FILE), stage.path(ANSWERS_FILE)
    from_run = result is not None and model.is_file() and answers.is_file()
    if result is not None and from_run:
        name, fitted = result["ladder"]["chosen"], load(model.read_bytes(), stage.charter)
        out_of_fold = np.load(answers, allow_pickle=False)
    else:
        climb = ladder.climb(stage.charter, data, split, seed=stage.seed)
        name, fitted = climb.ladder.chosen, climb.model
        out_of_fold = climb.answers.out_of_fold[name]
    policy = value.learn_policy(stage.charter, data.problem, data.outcome[split.train], out_of_fold)
    return Chosen(name, fitted, out_of_fold, policy, from_run)


def trained_again(picked: Chosen, data: Dataset, split: Split) -> Evidence:
    """Train the chosen model once more from the same cases, and compare what both say of the held-back ones.

    The value is how many of the answers differ.
    """
    from sklearn.base import clone

    inputs = models.inputs_of(picked.model, data).iloc[split.test]
    again = models.answer(models.fit(clone(picked.model), data, split.train), inputs)
    same = models.gaps(models.answer(picked.model, inputs), again, data.outcome, data.classes) <= SAME
    other, cases = int((~same).sum()), amount(len(inputs), "held-back case")
    if other:
        return Evidence(
            other, f"Trained again from the same cases, the model says something else of {other:,} of {cases}."
        )
    return Evidence(0, f"Trained again from the same cases, the model says the same of all {cases}.")
