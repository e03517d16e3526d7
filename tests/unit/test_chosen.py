"""The chosen model is taken from the run while nothing has changed, and found again when something has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from lab2live.charter import gates
from lab2live.data import models, splits
from lab2live.pipeline import context
from lab2live.poc.comparison import chosen, ladder
from lab2live.poc.worth.value import Policy

CHARTER = """\
project: {name: Tiny}
prediction: {problem_type: classification, target: y}
sources: [{name: table, uri: table.csv}]
"""


@pytest.fixture
def climbs(generate: Any, tmp_path: Path) -> Any:
    """A run whose proof of concept is done, and how often the ladder has been climbed since."""
    (tmp_path / "project.yaml").write_text(CHARTER)
    (tmp_path / "table.csv").write_text("y\n1\n")
    charter, data = generate("binary", 200)
    split = splits.split(charter, data, 0)
    run = context.begin("poc", str(tmp_path))
    climb = ladder.climb(run.charter, data, split, folds=2, repeats=1, budget=0)
    chosen.save(run, climb)
    run.keep(ladder=climb.ladder.as_dict())
    run.close()
    return tmp_path, data, split, climb


def test_what_the_run_chose_is_taken_from_it(climbs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data, split, climb = climbs
    monkeypatch.setattr(ladder, "climb", lambda *_, **__: pytest.fail("climbed again"))
    picked = chosen.fitted(context.begin("explainability", str(folder)), data, split)
    assert picked.from_run and picked.name == climb.ladder.chosen and "the one this run chose" in picked.sentence
    assert (picked.out_of_fold == climb.answers.out_of_fold[picked.name]).all()
    own = models.answer(climb.model, data.inputs.iloc[split.test])
    assert (models.answer(picked.model, data.inputs.iloc[split.test]) == own).all()


@pytest.mark.parametrize("lost", ["results/poc.json", "artefacts/model.skops", "artefacts/answers.npy"])
def test_what_is_not_there_any_more_is_found_again(climbs: Any, lost: str) -> None:
    folder, data, split, _ = climbs
    (folder / "runs" / "interactive" / lost).unlink()
    picked = chosen.fitted(context.begin("explainability", str(folder)), data, split)
    assert not picked.from_run and "fitted again" in picked.sentence
    assert len(picked.out_of_fold) == len(split.train)


def test_another_charter_is_another_choice(climbs: Any) -> None:
    folder, data, split, _ = climbs
    (folder / "table.csv").write_text("y\n0\n")
    assert not chosen.fitted(context.begin("explainability", str(folder)), data, split).from_run


@pytest.mark.parametrize(("line", "wanted"), [(np.inf, 1.0), (-np.inf, 0.0), (0.3, 0.3), (1.7, 1.0), (-2.0, 0.0)])
def test_a_line_is_written_as_a_probability(line: float, wanted: float) -> None:
    assert Policy("binary", line).threshold == wanted


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_training_again_gives_the_same_model_or_is_told(generate: Any, kind: str) -> None:
    charter, data = generate(kind, 300)
    split = splits.split(charter, data, 0)
    model = models.fit(models.boosting(data, 0, {"max_iter": 20}), data, split.train)
    picked = chosen.Chosen("boosting", model, np.zeros(len(split.train)), Policy(data.problem), True)
    evidence = chosen.trained_again(picked, data, split)
    value, message = evidence.value, evidence.message
    assert value == 0 and gates.judge("handoff.retrained", value, message).status == "pass"
    fewer = models.fit(clone(model), data, split.train[:120])
    evidence = chosen.trained_again(replace(picked, model=fewer), data, split)
    value, message = evidence.value, evidence.message
    assert value and gates.judge("handoff.retrained", value, message).status == "warn"
    assert f"{value:,} of {len(split.test)} held-back cases" in message
