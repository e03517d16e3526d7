"""The drill finds a fallback that works, and one that does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lab2live.charter import gates
from lab2live.errors import UserError
from lab2live.handoff import drill
from lab2live.handoff.fallback import NOT_SETTLED, TRIGGERS

from .conftest import put


@pytest.mark.parametrize(
    ("problem", "own_code"), [("binary", True), ("multiclass", True), ("regression", True), ("binary", False)]
)
def test_every_trigger_ends_with_whom_the_charter_names(bundled: Any, problem: str, own_code: bool) -> None:
    made = bundled(problem, own_code=own_code)
    done = drill.exercise(made.folder, made.table)
    assert [one.trigger for one in done] == list(TRIGGERS)
    by = {one.trigger: (one.wanted, one.answered) for one in done}
    assert by["invalid_input"] == ("review", "review") and by["drift"] == ("not settled", "review")
    # without a rule of its own the project cannot keep what its charter promises, and that is found
    rule = "rule" if own_code else "baseline"
    assert by["out_of_distribution"] == by["model_error"] == ("rule", rule)
    if problem != "regression":
        assert by["low_confidence"] == ("baseline", "baseline")
    answer = drill.failed(done)
    judged = gates.judge("handoff.fault_injection", answer.value, answer.message)
    assert judged.status == ("pass" if own_code else "fail"), judged.message
    assert "The charter settles 4 of 7 triggers; not judged: time_out, integrity, drift." in judged.message
    assert len(drill.table(done)) == len(TRIGGERS)


def test_a_rule_that_fails_is_found(bundled: Any, tmp_path: Path) -> None:
    made = bundled("binary")
    folder = shutil.copytree(made.folder, tmp_path / "bundle")
    put(folder, "code/rules.py", "def score(frame):\n    raise ValueError('no rule today')\n")
    answer = drill.failed(drill.exercise(folder, made.table))
    count, says = answer.value, answer.message
    assert count == 2 and "out_of_distribution: baseline instead of rule" in says
    assert gates.judge("handoff.fault_injection", count, says).status == "fail"


def test_what_cannot_be_set_off_is_no_pass() -> None:
    nothing = [drill.Exercise("drift", "x", "rule", "", drill.NONE_FOUND)]
    answer = drill.failed(nothing)
    assert gates.judge("handoff.fault_injection", answer.value, answer.message).status == "skip"
    some = [*nothing, drill.Exercise("time_out", "x", "rule", "rule", "y")]
    answer = drill.failed(some)
    count, says = answer.value, answer.message
    assert count == 0 and "Not set off" in says and "drift" in says


def exercised(wanted: str, answered: str = "review") -> list[drill.Exercise]:
    return [drill.Exercise(name, when, wanted, answered, "sent") for name, when in TRIGGERS.items()]


def test_where_the_charter_names_nobody_nothing_is_judged_and_what_answered_is_shown() -> None:
    done = exercised(NOT_SETTLED)
    answer = drill.failed(done)
    judged = gates.judge("handoff.fault_injection", answer.value, answer.message)
    assert judged.status == "skip" and "settles no fallback at all" in judged.message
    shown = drill.table(done)
    assert set(shown["has to answer"]) == {"not settled"} and set(shown["works"]) == {"not judged"}
    assert set(shown["answered"]) == {"review"}


def test_of_some_triggers_those_that_are_settled_are_judged() -> None:
    some = [*exercised("review")[:2], *exercised(NOT_SETTLED, "model")[2:]]
    answer = drill.failed(some)
    count, says = answer.value, answer.message
    assert count == 0 and "all 2 triggers that are settled" in says and "settles 2 of 7" in says
    answer = drill.failed([*exercised("rule")[:2], *some[2:]])
    count, says = answer.value, answer.message
    assert count == 2 and "invalid_input: review instead of rule" in says and "settles 2 of 7" in says
    unset = [*exercised("rule", "")[:2], *some[2:]]
    answer, all_of_them = drill.failed(unset), drill.failed(exercised("review"))
    assert (answer.value, answer.message) == (None, "No trigger that is settled could be set off.")
    says = "In a running service all 7 triggers end with whom the charter names."
    assert (all_of_them.value, all_of_them.message) == (0, says)
    assert len(all_of_them.data["drill"]) == 7 and all_of_them.table is not None


def test_a_service_that_does_not_start_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not start"), drill.serving(tmp_path / "nowhere", tmp_path / "state"):
        pass
