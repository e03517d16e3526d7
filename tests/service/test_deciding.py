"""Many cases are decided as each of them alone, and whoever the charter names answers when the model cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.data import models
from lab2live.handoff import answering, bundle, form
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.deploying import mlflow_model

PROBLEMS = ("binary", "multiclass", "regression")


def deciding(made: Any) -> Deciding:
    loaded = bundle.load(made.folder)
    return Deciding.of(loaded)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_many_are_decided_as_each_alone_and_as_on_the_page(bundled: Any, problem: str) -> None:
    made = bundled(problem)
    decides, rows = deciding(made), made.table.iloc[:60].reset_index(drop=True)
    together = decides.decide(rows)
    alone = pd.concat([decides.decide(rows.iloc[[place]]) for place in range(60)])
    pd.testing.assert_frame_equal(together, alone)
    tested = models.answer(made.picked.model, made.data.inputs.iloc[:60])
    assert np.allclose(together["score"], tested if tested.ndim == 1 else tested.max(axis=1))
    page = answering.ready(bundle.load(made.folder))
    for place in range(0, 60, 4):
        values = {field["name"]: form.written(rows[field["name"]].iloc[place], field) for field in made.form["fields"]}
        found, row = page.explain(values), together.iloc[place]
        assert isinstance(found, dict)
        assert (row["served_by"] == "model") == (not found["fallback"]["would"])
        if row["served_by"] == "model":
            said = found["answer"]["output"].strip("'")
            assert row["prediction"] == said or row["prediction"] == pytest.approx(float(said), rel=1e-3)
        elif row["served_by"] != "review":
            said = found["fallback"]["says"].strip("'")
            assert row["prediction"] == said or row["prediction"] == pytest.approx(float(said), rel=1e-5)


def test_a_number_is_acted_on_as_a_number_whoever_gives_it(bundled: Any) -> None:
    made = bundled("regression")
    decides = deciding(made)
    rows = made.table.iloc[:4].reset_index(drop=True).astype({"bill": object})
    decides.bundle.contract["fallback"]["policy"]["drift"] = "baseline"  # type: ignore[index]
    rows.loc[0, "bill"], rows.loc[1, "bill"] = "a lot", 9_999.0
    found = decides.decide(rows)
    assert found["prediction"].dtype == float and np.isnan(found["prediction"][0]), "a person decides"
    assert (found["served_by"][1], found["prediction"][1]) == ("rule", 80.0)
    by_model = found["served_by"] == "model"
    assert by_model.any() and (found["prediction"] == found["score"])[by_model].all()
    drifted = decides.about({name: list(rows[name]) for name in rows}, 4, "drift")
    assert drifted.prediction[3] == decides.bundle.contract["baseline"]
    for text, outcome in (("1e6 * 1.2345678", 1_234_567.8), ("float('inf')", None)):
        rules = SimpleNamespace(score=lambda frame, text=text: np.full(len(frame), eval(text)))
        asked = replace(decides, bundle=replace(decides.bundle, rules=rules)).decide(rows.iloc[[1]])
        wanted = ("rule", outcome) if outcome else ("baseline", decides.bundle.contract["baseline"])
        assert (asked["served_by"][1], asked["prediction"][1]) == wanted


def test_every_trigger_is_answered_by_whom_the_charter_names(bundled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bundled("binary")
    decides = deciding(made)
    rows = made.table.iloc[[0, 1, 2, 3]].reset_index(drop=True).astype({"bill": object})
    rows.loc[0, "bill"] = "a lot"
    rows.loc[1, "bill"] = 9_999.0
    found = decides.decide(rows)
    assert list(found.loc[[0, 1], ["served_by", "reason"]].itertuples(index=False, name=None)) == [
        ("review", "invalid_input"),
        ("rule", "out_of_distribution"),
    ]
    assert (
        found["detail"][0] == "bill: A number is needed."
        and found["prediction"][0] is None
        and found["prediction"][1] == "yes"
    )
    assert np.isnan(found["score"][0]) and "a lot" not in found.to_json()
    unsure = decides.decide(made.table)
    assert set(unsure.loc[unsure["reason"] == "low_confidence", "served_by"]) == {"baseline"}
    assert set(unsure.loc[unsure["reason"] == "", "served_by"]) == {"model"}

    def broken(_: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(type(decides.bundle.model), "answer", lambda *_: broken(_))
    failed = decides.decide(made.table.iloc[:5])
    assert set(failed["served_by"]) == {"rule"} and set(failed["reason"]) == {"model_error"}
    assert set(failed["prediction"]) <= {"yes", "no"}


def test_where_nothing_is_settled_a_person_has_to_answer_what_the_model_cannot(bundled: Any) -> None:
    decides = deciding(bundled("binary"))
    decides.bundle.contract["fallback"]["policy"].clear()  # type: ignore[index]
    rows = bundled("binary").table.iloc[[0, 1]].reset_index(drop=True).astype({"bill": object})
    rows.loc[0, "bill"], rows.loc[1, "bill"] = "a lot", 9_999.0
    found = decides.decide(rows)
    assert list(found["served_by"]) == ["review", "model"] and list(found["reason"]) == [
        "invalid_input",
        "out_of_distribution",
    ]


def test_no_case_at_all_is_no_error(bundled: Any) -> None:
    made = bundled("regression")
    assert not len(deciding(made).decide(made.table.iloc[:0]))


def test_mlflow_is_told_that_a_regression_answers_with_numbers(bundled: Any) -> None:
    for problem, kind in (("regression", "double"), ("binary", "string")):
        loaded = bundle.load(bundled(problem).folder)
        outputs = json.loads(mlflow_model._signature(loaded.form(), loaded.contract)["outputs"])
        assert {one["name"]: one["type"] for one in outputs}["prediction"] == kind
