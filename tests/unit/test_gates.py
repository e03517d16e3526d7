"""Gates: every rule can pass and can object, and what was not computed never passes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.charter.gates import CATALOGUE, RENAMED, STAGES, Gate, GateResult, judge
from lab2live.charter.schema import GateOverride, unknown_gate
from lab2live.errors import UserError

every_rule = pytest.mark.parametrize("rule", CATALOGUE.values(), ids=lambda rule: rule.id)


def beyond(rule: Gate, limit: float) -> float:
    return limit + 1 if rule.better == "lower" else limit - 1


@every_rule
def test_the_last_good_value_passes(rule: Gate) -> None:
    limit = rule.warn if rule.warn is not None else rule.fail
    assert limit is not None, "a gate without limits cannot object"
    gate = judge(rule.id, limit, "found")
    assert (gate.status, gate.value, gate.threshold) == ("pass", limit, limit)


@every_rule
def test_a_bad_value_is_objected_to(rule: Gate) -> None:
    if rule.fail is not None:
        gate = judge(rule.id, beyond(rule, rule.fail), "found")
        assert (gate.status, gate.threshold) == ("fail", rule.fail)
    if rule.warn is not None and rule.warn != rule.fail:
        value = rule.fail if rule.fail is not None else beyond(rule, rule.warn)
        gate = judge(rule.id, value, "found")
        assert (gate.status, gate.threshold) == ("warn", rule.warn)


@every_rule
@pytest.mark.parametrize("value", [None, math.nan], ids=str)
def test_what_was_not_computed_is_skipped(rule: Gate, value: float | None) -> None:
    gate = judge(rule.id, value, "why not")
    assert (gate.status, gate.value, gate.message) == ("skip", None, "why not")


@every_rule
def test_a_rule_is_well_formed(rule: Gate) -> None:
    assert rule.stage in STAGES
    assert rule.question.endswith("?")
    if rule.warn is not None and rule.fail is not None:
        assert rule.fail == rule.warn or (rule.fail > rule.warn) == (rule.better == "lower")
    assert rule.fail is not None or not rule.must_pass, "a gate that must pass has to be able to fail"


def test_every_id_is_there_once_and_every_stage_has_a_gate() -> None:
    assert all(gate_id == gate.id for gate_id, gate in CATALOGUE.items())
    assert {gate.stage for gate in CATALOGUE.values()} == set(STAGES)


@every_rule
@given(values=st.tuples(*[st.floats(allow_nan=False)] * 2))
def test_a_better_value_never_gets_a_worse_status(rule: Gate, values: tuple[float, float]) -> None:
    order = ["pass", "warn", "fail"]
    better, worse = sorted(values, reverse=rule.better == "higher")
    assert order.index(judge(rule.id, better, "").status) <= order.index(judge(rule.id, worse, "").status)


def test_the_charter_moves_limits() -> None:
    stricter = {"eda.missing_critical": GateOverride(warn=0.001, fail=0.005)}
    assert judge("eda.missing_critical", 0.01, "").status == "pass"
    gate = judge("eda.missing_critical", 0.01, "", overrides=stricter)
    assert (gate.status, gate.threshold, gate.must_pass) == ("fail", 0.005, True)
    assert judge("eda.referential_integrity", 0.01, "", overrides=stricter).status == "pass", "only the gate it names"


def test_the_charter_moves_one_limit_and_leaves_the_other() -> None:
    gate = judge("eda.missing_critical", 0.15, "", overrides={"eda.missing_critical": GateOverride(fail=0.1)})
    assert (gate.status, gate.threshold) == ("fail", 0.1)
    gate = judge("eda.missing_critical", 0.05, "", overrides={"eda.missing_critical": GateOverride(fail=0.1)})
    assert (gate.status, gate.threshold) == ("warn", CATALOGUE["eda.missing_critical"].warn)


@every_rule
def test_a_gate_judged_by_its_findings_takes_the_severity_of_the_worst(rule: Gate) -> None:
    if rule.unit == "severity":
        assert [judge(rule.id, severity, "").status for severity in (0, 1, 2)] == ["pass", "warn", "fail"]


@pytest.mark.parametrize(
    ("gate", "values"),
    [
        ("eda.signal", {0.002: "pass", 0.01: "pass", 0.03: "warn", 0.06: "fail", 0.5: "fail"}),
        ("eda.learning_curve", {0.03: "pass", 0.3: "warn"}),
        ("eda.missing_critical", {0: "pass", 0.05: "warn", 0.3: "fail"}),
        ("eda.referential_integrity", {0: "pass", 0.05: "warn", 0.2: "fail"}),
        ("eda.target", {500: "pass", 100: "warn", 20: "fail"}),
    ],
)
def test_the_limits_are_where_the_catalogue_says(gate: str, values: dict[float, str]) -> None:
    assert {value: judge(gate, value, "").status for value in values} == values


def test_a_limit_of_zero_is_a_limit() -> None:
    gate = judge("eda.missing_critical", 0.001, "", overrides={"eda.missing_critical": GateOverride(warn=0, fail=0)})
    assert gate.status == "fail"


@pytest.mark.parametrize("must", [True, False])
def test_the_charter_says_what_must_pass_even_of_a_skipped_gate(must: bool) -> None:
    for gate_id in ("eda.missing_critical", "poc.generalization_gap"):
        overrides = {gate_id: GateOverride(must_pass=must)}
        assert judge(gate_id, None, "", overrides=overrides).must_pass is must
        assert judge(gate_id, 1, "", overrides=overrides).must_pass is must


def test_a_limit_can_be_given_to_a_gate_that_never_fails_by_itself() -> None:
    assert judge("eda.access", 5, "").status == "warn"
    assert judge("eda.access", 5, "", overrides={"eda.access": GateOverride(fail=2)}).status == "fail"


def test_the_fields_of_a_result_are_the_contract() -> None:
    contract = {"id", "requirement", "stage", "must_pass", "status", "value", "threshold", "unit", "message"}
    gate = judge("poc.beats_baseline", 1, "It does.")
    assert gate.as_dict().keys() == contract | {"title", "question", "better"}
    assert (gate.stage, gate.requirement, gate.unit) == ("poc", "P1", "probability")
    assert GateResult(**gate.as_dict()) == gate


OWN = {"id": "own.contacts", "requirement": "B3", "title": "Contacts", "question": "Few enough?", "better": "lower"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"warn": 5, "fail": 3}, "warns only beyond"),
        ({"warn": 3, "fail": 5, "better": "higher"}, "warns only beyond"),
        ({}, "judges nothing"),
        ({"warn": 1, "better": "more"}, "which values are better"),
        ({"warn": 1, "requirement": "Z9"}, "answers a requirement"),
    ],
)
def test_a_gate_that_cannot_judge_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Gate(**{**OWN, **more})


def test_a_gate_of_ones_own_is_judged_like_any_other() -> None:
    own = Gate(**OWN, warn=100, fail=200, unit="contacts", must_pass=True)
    judged = [judge(own, value, "", stage="own_analysis") for value in (50, 150, 250)]
    assert [one.status for one in judged] == ["pass", "warn", "fail"]
    assert {(one.stage, one.unit, one.must_pass) for one in judged} == {("own_analysis", "contacts", True)}


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_of_a_gate_is_refused_with_the_new_one(old: str) -> None:
    said = str(unknown_gate(old, CATALOGUE, "project.yaml"))
    assert (RENAMED[old] or "is gone") in said
    assert old not in CATALOGUE


def test_a_typo_in_a_gate_is_refused_with_the_nearest_one() -> None:
    assert "`eda.leakage`" in str(unknown_gate("eda.leakge", CATALOGUE, "project.yaml"))
