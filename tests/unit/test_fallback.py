"""The fallback: what is settled is tried, and what does not work is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.data.encoding import Columns
from lab2live.handoff import fallback
from lab2live.handoff.bundle import Bundle

RAW = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
ALL = dict.fromkeys(fallback.TRIGGERS, "rule")


def bundle_with(score: Any = None, baseline: Any = 0.2) -> Bundle:
    rules: Any = SimpleNamespace(score=score) if score else None
    contract = {} if baseline is None else {"baseline": baseline}
    return Bundle(Path("bundle"), contract, Columns({}), None, None, rules, {})  # type: ignore[arg-type]


def fails(frame: pd.DataFrame) -> Any:
    raise ValueError


def test_a_rule_that_answers_every_case_settles_everything(charter_of: Any) -> None:
    charter = charter_of(fallback=ALL)
    plans = fallback.plans(charter, bundle_with(lambda frame: np.nan_to_num(frame["x"].astype(float))), RAW)
    assert [plan.trigger for plan in plans] == list(fallback.TRIGGERS)
    assert {plan.works for plan in plans} == {True}
    assert plans[0].note == "answered 3 of 3 cases, and one with nothing in it"
    assert fallback.unsettled(charter, plans).value == 0


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (None, "UserError"),
        (fails, "ValueError: no message"),
        (lambda frame: frame["gone"], "KeyError"),
        (lambda frame: np.array([1, np.nan, np.nan]), "no answer for 2 of 3 cases"),
        (lambda frame: frame["x"], "no answer for 1 of 1 cases"),  # fine on good cases, silent on one that is empty
        (lambda frame: [1, 2], "shape (2,) for 3 cases"),
        (lambda frame: 5, "shape () for 3 cases"),
        (lambda frame: None, "shape () for 3 cases"),
        (lambda frame: np.ones((3, 1)), "shape (3, 1) for 3 cases"),
    ],
)
def test_a_rule_that_does_not_answer_is_found_out(charter_of: Any, score: Any, said: str) -> None:
    charter = charter_of(fallback={**ALL, "drift": "baseline"})
    plans = fallback.plans(charter, bundle_with(score), RAW)
    assert [plan.works for plan in plans] == [False] * 6 + [True]
    assert said in plans[0].note
    answer = fallback.unsettled(charter, plans)
    count, message = answer.value, answer.message
    assert count == 6 and said in message


def test_triggers_that_the_charter_forgets_are_counted(charter_of: Any) -> None:
    charter = charter_of(fallback={"drift": "review", "time_out": "baseline"})
    plans = fallback.plans(charter, bundle_with(), RAW)
    assert {plan.trigger: plan.works for plan in plans if plan.answer != "not settled"} == {
        "time_out": True,
        "drift": None,
    }
    assert fallback.unsettled(charter, plans).value == 5
    assert fallback.table(plans)["who answers"].tolist().count("not settled") == 5


def test_what_becomes_of_a_case_is_said_where_nothing_is_settled(charter_of: Any) -> None:
    notes = {plan.trigger: plan.note for plan in fallback.plans(charter_of(), bundle_with(), RAW)}
    model = {name for name, note in notes.items() if note.endswith("the model answers all the same")}
    person = {name for name, note in notes.items() if note.endswith("a person has to decide")}
    assert model == {"out_of_distribution", "low_confidence"} and person == set(fallback.TRIGGERS) - model


def test_no_fallback_at_all_is_an_open_question_and_no_pass(charter_of: Any) -> None:
    charter = charter_of()
    answer = fallback.unsettled(charter, fallback.plans(charter, bundle_with(), RAW))
    value, why = answer.value, answer.message
    assert value is None and "no fallback" in why


def test_a_baseline_has_to_be_in_the_bundle(charter_of: Any) -> None:
    charter = charter_of(fallback=dict.fromkeys(fallback.TRIGGERS, "baseline"))
    assert fallback.unsettled(charter, fallback.plans(charter, bundle_with(baseline=None), RAW)).value == 7
    assert fallback.unsettled(charter, fallback.plans(charter, bundle_with(baseline=0), RAW)).value == 0
