"""What is said about one case is what the model says, in the same words everywhere, and nothing personal leaves."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates
from lab2live.data import models
from lab2live.errors import UserError
from lab2live.explainability.explainer import Explainer
from lab2live.explainability.flips import telling_flips
from lab2live.explainability.flips.search import search
from lab2live.handoff import answering, bundle, contract, form, schemas
from lab2live.handoff.answering import Answering, Refused
from lab2live.handoff.deciding import Deciding

PROBLEMS = ("binary", "multiclass", "regression")


def ready(made: Any) -> Answering:
    return answering.ready(bundle.load(made.folder))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_typical_case_gets_every_kind_of_answer(bundled: Any, problem: str) -> None:
    made = bundled(problem)
    asked = ready(made)
    assert len(asked.form["cases"]) == 3
    for case in asked.form["cases"]:
        found = asked.explain(case["values"])
        assert isinstance(found, dict)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert found["confidence"]["set"].startswith("With 90% confidence")
        assert len(found["reasons"]["parts"]) >= 5 and found["reasons"]["sentence"].count(":") >= 3
        assert found["flips"]["options"] or found["flips"]["none"]
        assert found["derived"]["yearly"] == 12 * case["values"]["lines"]
        if problem == "regression":
            assert found["answer"]["share"] is None and found["confidence"]["words"] == ""
        else:
            assert 0 <= found["answer"]["share"] <= 1 and "Of 100 cases like this" in found["confidence"]["words"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_answer_is_the_models_own_and_the_reasons_add_up(bundled: Any, problem: str) -> None:
    made = bundled(problem)
    asked, rows = ready(made), made.table.iloc[:25]
    tested = models.answer(made.picked.model, made.data.inputs.iloc[:25])
    for place, row in enumerate(rows.to_dict("records")):
        found = asked.explainer.explain(row)
        assert np.allclose(found.answer, tested[place])
        told = found.reasons
        assert told.start + sum(value for _, value in told.reasons) == pytest.approx(told.answer, abs=1e-9)
        alone = search(made.explainer.space, made.explainer.predict, row)
        sides = made.explainer.space.sides
        assert telling_flips.sentences(found.flips, sides) == telling_flips.sentences(alone, sides)


def test_what_flips_flips_when_it_is_filled_in(bundled: Any) -> None:
    asked = ready(bundled("binary"))
    tried = 0
    for case in asked.form["cases"]:
        before = asked.explain(case["values"])
        assert isinstance(before, dict)
        for option in before["flips"]["options"]:
            if option["title"] == "Nearest real case":
                continue
            after = asked.explain({**case["values"], **option["values"]})
            assert isinstance(after, dict) and after["answer"]["output"] != before["answer"]["output"]
            tried += 1
    assert tried >= 3


def test_the_form_has_a_field_for_what_describes_a_case_and_none_for_its_name(bundled: Any) -> None:
    fields = {field["name"]: field for field in bundled("binary").form["fields"]}
    assert set(list(fields)[:2]) == {"contract", "bill"}, "what the outcome depends on comes first"
    assert "id" not in fields and "double" not in fields
    assert fields["bill"] | {"unit": "EUR", "least": 0.0, "optional": True, "kind": "number"} == fields["bill"]
    assert fields["age"]["locked"] == "it cannot change" and fields["contract"]["locked"] == ""
    assert fields["yearly"]["derived"] == "12 * lines" and fields["lines"]["whole"] is True
    assert fields["since"]["low"].startswith("2020-01") and fields["<b>kind</b>"]["choices"] == [
        "<script>alert(1)</script>",
        "plain",
    ]


def test_typical_cases_are_made_up_and_ordered_by_their_answer(bundled: Any) -> None:
    made = bundled("binary")
    asked = ready(made)
    shares = [asked.explain(case["values"])["answer"]["share"] for case in asked.form["cases"]]  # type: ignore[index]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.7 > 0.3 > shares[-1]
    real = made.table.drop(columns=["id", "yearly", "since"]).astype(str).agg("|".join, axis=1)
    for case in asked.form["cases"]:
        values = {name: value for name, value in case["values"].items() if name not in ("yearly", "since")}
        assert "|".join(str(values[name]) for name in made.table.columns if name in values) not in set(real)


def test_a_typical_case_of_a_class_is_predicted_to_be_of_it(bundled: Any) -> None:
    asked = ready(bundled("multiclass"))
    for case in asked.form["cases"]:
        found = asked.explain(case["values"])
        assert (
            isinstance(found, dict) and case["title"] == f"A typical case predicted {found['answer']['output'][1:-1]}"
        )


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"bill": "much"}, "bill", "A number is needed."),
        ({"bill": True}, "bill", "A number is needed."),
        ({"bill": float("inf")}, "bill", "A number is needed."),
        ({"bill": 1e300}, "bill", "A number is needed."),
        ({"bill": -5}, "bill", "This cannot be: not below 0."),
        ({"lines": None}, "lines", "This has to be known"),
        ({"contract": 7}, "contract", "A text of at most"),
        ({"contract": "x" * 300}, "contract", "A text of at most"),
        ({"since": "tomorrow"}, "since", "A date is needed"),
        ({"since": "9999-01-01"}, "since", "A date is needed"),
        ({"stranger": 1}, "stranger", "There is no such field."),
    ],
)
def test_what_breaks_the_contract_is_refused_at_the_field_and_the_fallback_answers(
    bundled: Any, change: dict[str, Any], field: str, says: str
) -> None:
    asked = ready(bundled("binary"))
    found = asked.explain({**asked.form["cases"][0]["values"], **change})
    assert isinstance(found, Refused)
    assert [(one["field"], one["message"].startswith(says)) for one in found.problems] == [(field, True)]
    assert found.fallback["would"] and found.fallback["answer"] == "review"
    assert "A person decides" in found.fallback["words"] and "much" not in str(found)


def test_where_nothing_is_settled_the_page_says_what_a_batch_does(bundled: Any) -> None:
    made = bundled("binary")
    loaded = bundle.load(made.folder)
    loaded.contract["fallback"]["policy"].clear()  # type: ignore[index]
    asked = answering.ready(loaded)
    typical = asked.form["cases"][0]["values"]
    refused, strange, drifted = (
        asked.explain({}),
        asked.explain({**typical, "bill": 5_000}),
        asked.explain(typical, "drift"),
    )
    assert isinstance(refused, Refused) and isinstance(strange, dict) and isinstance(drifted, dict)
    for found in (refused.fallback, drifted["fallback"]):
        assert found["would"] and found["answer"] == "review" and found["words"].endswith("So a person has to decide.")
    assert not strange["fallback"]["would"]
    assert strange["fallback"]["words"].endswith("So the model answers all the same.")
    rows = pd.DataFrame([{}, {**typical, "bill": 5_000.0}])
    assert list(Deciding.of(loaded).decide(rows)["served_by"]) == ["review", "model"]


@pytest.mark.parametrize("own_code", [True, False])
def test_what_is_computed_is_marked_and_nobody_has_to_send_it(bundled: Any, own_code: bool) -> None:
    made = bundled("binary", own_code=own_code)
    agreed = bundle.load(made.folder).contract
    computed = {entry["name"] for entry in agreed["inputs"] if entry["computed"]}
    assert computed == {"yearly", *(("double", "silent") if own_code else ())}
    case = schemas.case_schema(made.form, list(made.explainer.unasked))
    assert not computed & set(case["required"]) and not {"double", "silent"} & set(case["properties"])
    shown = contract.table(dict(agreed)).set_index("column")["may be empty"]
    assert shown["yearly"] == contract.COMPUTED and shown["bill"] is True and shown["age"] is False


def test_each_trigger_is_answered_by_who_the_charter_names(bundled: Any) -> None:
    asked = ready(bundled("binary"))
    typical = asked.form["cases"][0]["values"]
    strange = asked.explain({**typical, "bill": 5_000})
    assert isinstance(strange, dict) and strange["unfamiliar"][0].startswith("bill is 5,000")
    assert strange["fallback"]["answer"] == "rule" and strange["fallback"]["says"] == "'yes'"
    fine = asked.explain(typical)
    assert isinstance(fine, dict) and not fine["fallback"]["would"] and not fine["unfamiliar"]
    unsure = [one for one in (asked.explain({**typical, "bill": bill}) for bill in range(20, 90, 3))
              if isinstance(one, dict) and not one["confidence"]["sure"]]  # fmt: skip
    assert unsure and all(one["fallback"]["answer"] == "baseline" for one in unsure)
    assert unsure[0]["fallback"]["says"] in ("'yes'", "'no'") and "not sure enough" in unsure[0]["fallback"]["words"]
    broken = asked.explain({**typical, "bill": None, "age": 400})
    assert isinstance(broken, dict) and broken["fallback"]["says"].endswith("(the usual outcome, as the rule failed)")
    assert "name of a person" not in json.dumps(broken)


@pytest.mark.parametrize(("problem", "says"), [("regression", "80"), ("multiclass", "'high'")])
def test_the_rule_answers_in_the_words_of_its_problem(bundled: Any, problem: str, says: str) -> None:
    asked = ready(bundled(problem))
    found = asked.explain({**asked.form["cases"][0]["values"], "bill": 5_000})
    assert isinstance(found, dict) and found["fallback"]["says"] == says


def test_no_real_case_leaves_where_data_are_personal(bundled: Any) -> None:
    free, personal = bundled("binary"), bundled("binary", personal=True)
    assert personal.charter.is_personal and not free.charter.is_personal
    kept = json.loads(bundle.load(personal.folder).contents[bundle.EXPLAINER])["space"]
    assert kept["hidden"] and set(kept["references"]["age"]) == {None}
    ages = json.loads(bundle.load(free.folder).contents[bundle.EXPLAINER])["space"]["references"]["age"]
    assert len(set(ages)) > 10
    bills = personal.table["bill"].value_counts()
    steps = next(move.values for move in personal.explainer.space.moves if move.column == "bill")
    assert {bill for bill in kept["references"]["bill"] if bill is not None} <= set(steps) and len(bills) > 200
    asked = ready(personal)
    for case in asked.form["cases"]:
        found = asked.explain(case["values"])
        assert isinstance(found, dict)
        assert "Nearest real case" not in [option["title"] for option in found["flips"]["options"]]
    assert any(asked.explain(case["values"])["flips"]["options"] for case in asked.form["cases"])  # type: ignore[index]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_it_comes_back_from_json_the_same(bundled: Any, problem: str) -> None:
    made = bundled(problem)
    again = Explainer.from_dict(
        json.loads(json.dumps(made.explainer.to_dict(), default=str)), made.picked.model, made.explainer.add_features
    )
    row = made.table.iloc[3].to_dict()
    first, second = made.explainer.explain(row), again.explain(row)
    assert (first.output, first.sure, first.strange, first.reasons) == (
        second.output,
        second.sure,
        second.strange,
        second.reasons,
    )


def test_what_nobody_gives_is_not_taken_for_missing(bundled: Any) -> None:
    """The project's features look at a free text that no form asks for."""
    made = bundled("binary")
    assert made.explainer.unasked["note"] == "(not asked)" and "note" not in [f["name"] for f in made.form["fields"]]
    rows = made.table[made.table["note"].notna()].iloc[:40]
    tested = models.answer(made.picked.model, made.data.inputs.loc[rows.index])
    for (_, row), wanted in zip(rows.iterrows(), tested, strict=True):
        assert np.allclose(made.explainer.explain(row.drop("note").to_dict()).answer, wanted)


def test_the_form_is_held_against_the_tested_answers(bundled: Any) -> None:
    made = bundled("binary")
    full = made.table[made.table["note"].notna()].iloc[:100]
    tested = models.answer(made.picked.model, made.data.inputs)
    answer = form.agreement(made.form, made.explainer, full, tested[full.index])
    found, says = answer.value, answer.message
    assert gates.judge("handoff.input_schema", found, says).status == "pass" and "All 100 rows of the test set" in says
    answers = Deciding.of(bundle.load(made.folder)).decide(made.table.iloc[:50])["score"]
    assert np.allclose(answers, tested[:50], atol=1e-5), "a file brings the text along"
    model = dataclasses.replace(made.explainer, unasked={})  # as if every text were missing
    answer = form.agreement(made.form, model, full, tested[full.index])
    found, says = answer.value, answer.message
    moved = models.answer(made.picked.model, made.data.inputs.loc[full.index].assign(silent=1.0))
    assert found == (~np.isclose(moved, tested[full.index], atol=1e-6)).sum()
    if found:
        assert gates.judge("handoff.input_schema", found, says).status == "warn" and "silent cannot be made" in says
    answer = form.agreement(made.form, made.explainer, full, 1 - tested[full.index])
    other, says = answer.value, answer.message
    assert gates.judge("handoff.input_schema", other, says).status == "warn"
    answer = form.agreement(made.form, made.explainer, full.assign(lines=None), tested[full.index])
    nothing, why = answer.value, answer.message
    assert gates.judge("handoff.input_schema", nothing, why).status == "skip"


def test_a_bundle_without_explanations_says_what_to_do(bundled: Any, tmp_path: Any) -> None:
    made = bundled("binary")
    bundle.write(tmp_path / "b", "onnx", (made.folder / "model.onnx").read_bytes(), {"inputs": []}, None, "")
    with pytest.raises(UserError, match="cannot explain its answers"):
        answering.ready(bundle.load(tmp_path / "b"))


def test_values_come_back_in_the_form_they_were_written(bundled: Any) -> None:
    made = bundled("binary")
    for row in made.table.iloc[:20].to_dict("records"):
        values = {field["name"]: form.written(row[field["name"]], field) for field in made.form["fields"]}
        case, problems = form.read(made.form, made.explainer, json.loads(json.dumps(values)))
        assert not problems
        for name, value in case.items():
            both_missing = pd.isna(value) and pd.isna(row[name])
            assert both_missing or value == row[name], name
