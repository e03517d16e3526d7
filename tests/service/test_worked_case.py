"""The one case that is told from beginning to end: complete for every kind of problem, and nobody."""

from __future__ import annotations

from typing import Any

import pytest

from lab2live.data import models, splits
from lab2live.handoff import answering, bundle
from lab2live.handoff.answering import Answering, Refused
from lab2live.handoff.people import counting, worked_case


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_a_typical_case_is_told_with_everything_that_belongs_to_it(bundled: Any, problem: str) -> None:
    made = bundled(problem)
    ready = answering.ready(bundle.load(made.folder))
    rows = splits.split(made.charter, made.data, 0).test
    known, answers = made.data.outcome[rows], models.answer(made.picked.model, made.data.inputs.iloc[rows])
    told = worked_case.worked(ready, known, answers)
    assert told is not None and told.title.startswith("A typical case")
    assert {name for name, _ in told.inputs} == {
        field["name"] for field in made.form["fields"] if "derived" not in field
    }
    assert told.like.cases > 0 and "confidence" in told.sure and told.decides
    assert told.reasons and all(moves.startswith(("raises", "lowers", "no noticeable")) for _, moves in told.reasons)
    assert told.flip.startswith("The model's output would change from")
    assert told == worked_case.worked(ready, known, answers)
    found = counting.counts(made.charter, made.data, rows, answers, made.explainer)
    assert found.cases == len(rows) and len(found.main) == 2


def test_no_real_case_is_told_even_where_it_is_all_that_flips_the_output(bundled: Any) -> None:
    made = bundled("binary")
    ready = answering.ready(bundle.load(made.folder))
    rows = splits.split(made.charter, made.data, 0).test
    known, answers = made.data.outcome[rows], models.answer(made.picked.model, made.data.inputs.iloc[rows])
    asked = Answering.explain

    class OnlyReal(Answering):
        def explain(self, values: Any, declared: str = "") -> Any:
            found = asked(self, values, declared)
            assert not isinstance(found, Refused)
            real = [one for one in found["flips"]["options"] if one["title"] == "Nearest real case"]
            assert real
            return {**found, "flips": {"none": "", "options": real}}

    told = worked_case.worked(OnlyReal(ready.bundle, ready.explainer, ready.form), known, answers)
    assert told is not None and told.flip == "No change that was tried flips the output."
    assert "real case" not in str(told)


def test_where_every_typical_case_is_refused_there_is_none(bundled: Any) -> None:
    made = bundled("binary")
    ready = answering.ready(bundle.load(made.folder))
    bad = {**ready.form, "cases": [{"title": "x", "values": {"nobody asks": 1}}]}
    rows = splits.split(made.charter, made.data, 0).test
    answers = models.answer(made.picked.model, made.data.inputs.iloc[rows])
    assert worked_case.worked(Answering(ready.bundle, ready.explainer, bad), made.data.outcome[rows], answers) is None
