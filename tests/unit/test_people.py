"""What people get: counts of 100, who owns what, and what a run knows when its last stage ends."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lab2live import files
from lab2live.charter import gates
from lab2live.charter.gates import judge
from lab2live.data import splits
from lab2live.explainability.confidence import telling_sure
from lab2live.explainability.sides import Sides
from lab2live.handoff.people import counting, findings, icons, roles
from lab2live.handoff.people.counting import Count
from lab2live.handoff.people.findings import Findings


def explainer_of(sides: Sides, known: np.ndarray, answers: np.ndarray) -> Any:
    """What `counts` looks at of an explainer."""
    return SimpleNamespace(
        sure=telling_sure.sure(sides, known, answers), units={"y": "EUR"}, target="y", classes=sides.classes
    )


def binary(generate: Any, line: float = 0.5, **blocks: Any) -> Any:
    charter, data = generate("binary", 500, prediction={"positive_class": "yes"}, **blocks)
    split = splits.split(charter, data, 0)
    answers = np.random.default_rng(1).random(len(split.test))
    asked = explainer_of(Sides("binary", data.classes, line), data.outcome[split.test], answers)
    return charter, data, split.test, answers, asked


def test_wrong_ones_and_found_ones_are_counted_on_the_right_cases(generate: Any) -> None:
    charter, data, rows, answers, asked = binary(generate)
    wrong, there = counting.counts(charter, data, rows, answers, asked).main
    known, called = data.outcome[rows], answers >= 0.5
    assert (wrong.hits, wrong.cases) == (int((called & (known == 0)).sum()), int(called.sum()))
    assert (there.hits, there.cases) == (int((called & (known == 1)).sum()), int((known == 1).sum()))
    assert wrong.low < wrong.hits / wrong.cases < wrong.high
    assert wrong.sentence.startswith(f"Of 100 cases that the model calls 'yes', {wrong.per_hundred} turn out 'no'")


def test_an_interval_says_counts_and_how_many_cases_it_rests_on() -> None:
    count = Count("cases", "are wrong", 23, 100, 0.158, 0.322)
    assert count.sentence == "Of 100 cases, 23 are wrong."
    assert count.interval == "Between 16 and 32 of 100 (95 % interval), counted on 100 cases that the model had not " \
        "learnt from."  # fmt: skip
    assert "These are few cases." in dataclasses.replace(count, cases=99).interval
    nobody = Count("cases called 'x'", "are wrong", 0, 0, 0.0, 1.0)
    assert "nobody can say" in nobody.sentence and nobody.interval == "" and icons.dots(nobody) == ""


def test_a_line_that_nobody_reaches_leaves_nobody_to_count(generate: Any) -> None:
    charter, data, rows, answers, asked = binary(generate, line=np.inf)
    found = counting.counts(charter, data, rows, answers, asked)
    assert found.main[0].cases == 0 and found.flagged == 0.0


def test_cases_that_belong_together_make_an_interval_wider(generate: Any) -> None:
    charter, data, rows, answers, asked = binary(generate)
    alone = counting.counts(charter, data, rows, answers, asked).main[0]
    # of every group all cases are right or all are wrong: a hundred cases say as much as ten
    raw = data.raw.assign(firm=np.arange(len(data.raw)) // 10)
    data = dataclasses.replace(data, raw=raw, outcome=(raw["firm"].to_numpy() % 2))
    charter = charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"group_column": "firm"})})
    together = counting.counts(charter, data, np.arange(100), np.ones(100), asked).main[0]
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_with_several_classes_every_one_is_counted_and_the_worst_found_stands_in_front(generate: Any) -> None:
    charter, data = generate("multiclass", 400)
    rows, codes = np.arange(400), data.outcome.copy()
    codes[data.outcome == 2] = 1  # nobody of the last class is found
    answers = np.eye(3)[codes] * 0.8 + 0.1
    asked = explainer_of(Sides("multiclass", data.classes), data.outcome, answers)
    found = counting.counts(charter, data, rows, answers, asked)
    assert found.main[0].hits == int((codes != data.outcome).sum())
    assert found.main[1].of == f"cases that turn out '{data.classes[2]}'" and found.main[1].hits == 0
    assert [name for name, *_ in found.by_class] == list(data.classes)
    assert found.by_class[2][1].short == "no case" and found.flagged is None


def test_a_number_is_held_against_always_saying_the_usual_one(generate: Any) -> None:
    charter, data = generate("regression", 400)
    rows = np.arange(200)
    answers = data.outcome[rows] + 0.01
    asked = explainer_of(Sides("regression"), data.outcome[rows], answers)
    not_closer, kept = counting.counts(charter, data, rows, answers, asked).main
    assert not_closer.per_hundred < 3 and kept.per_hundred >= 90
    assert "EUR, the usual number" in not_closer.says
    worse = counting.counts(charter, data, rows, answers + 1000, asked).main[0]
    assert worse.per_hundred == 100


def test_a_number_with_a_level_that_matters_is_counted_at_it(generate: Any) -> None:
    charter, data = generate("regression", 400)
    rows, answers = np.arange(200), np.full(200, 20.0)
    asked = explainer_of(Sides("regression", line=10.0), data.outcome[rows], answers)
    wrong, there = counting.counts(charter, data, rows, answers, asked).main
    assert wrong.hits == int((data.outcome[rows] < 10).sum()) and there.hits == there.cases
    assert "puts at 10 EUR or more" in wrong.of


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_cases_like_one_are_counted_among_those_alike(generate: Any, problem: str) -> None:
    _, data = generate(problem, 600, prediction={"positive_class": "yes"} if problem == "binary" else {})
    known = data.outcome
    if problem == "binary":
        answers = np.where(known == 1, 0.9, 0.1)
        asked = explainer_of(Sides("binary", data.classes, 0.5), known, answers)
        found = counting.like_this(asked, 0.9, known, answers)
        assert (found.hits, found.cases) == (int(known.sum()), int(known.sum()))
        assert "turned out 'yes'" in found.says
    else:
        answers = known + np.random.default_rng(0).normal(size=600)
        asked = explainer_of(Sides("regression"), known, answers)
        found = counting.like_this(asked, float(answers.min()), known, answers)
        assert 0 < found.cases < 600 and 0.8 < found.hits / found.cases <= 1


def test_a_picture_has_as_many_filled_dots_as_are_counted_and_says_so_in_words() -> None:
    drawn = icons.dots(Count("<b>cases</b>", "are wrong", 23, 100, 0.1, 0.3))
    assert drawn.count('class="hit"') == 23 and drawn.count('class="rest"') == 77
    assert 'role="img"' in drawn and "23 of 100 dots are filled" in drawn and "<b>" not in drawn


def test_filled_dots_speak_for_the_model_in_every_picture() -> None:
    wrong = icons.dots(Count("cases", "turn out 'no'", 23, 100, 0.1, 0.3, against=True))
    assert wrong.count('class="hit"') == 77 and "77 of 100 dots are filled, they speak for the model" in wrong


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression", "level"])
def test_the_first_count_is_of_what_speaks_against_the_model_and_the_second_is_not(generate: Any, problem: str) -> None:
    kind = "regression" if problem == "level" else problem
    charter, data = generate(kind, 400)
    known = data.outcome[:200]
    answers = np.eye(3)[known] * 0.8 + 0.1 if kind == "multiclass" else known.astype(float)
    line = {"binary": 0.5, "level": 10.0}.get(problem)
    asked = explainer_of(Sides(kind, data.classes, line), known, answers)  # type: ignore[arg-type]
    found = counting.counts(charter, data, np.arange(200), answers, asked)
    assert [one.against for one in found.main] == [True, False]
    assert found.main[0].per_hundred == 0 and icons.dots(found.main[0]).count('class="hit"') == 100


TEAM = {
    "product_manager": {"who": "Ada", "signs_off": True},
    "data_analyst": {"who": "Jonas"},
    "data_scientist": {"who": "Mei"},
    "solution_architect": {"who": "Pavel"},
    "mlops_engineer": {"who": "Lucia"},
}
OWNED = [{"name": "s", "uri": "never-read.csv", "owner": "Sales"}]


def judged(charter: Any) -> Any:
    answer = roles.gaps(charter)
    return judge("handoff.roles", answer.value, answer.message, overrides=charter.gates)


def test_roles_pass_where_every_part_has_somebody(charter_of: Any) -> None:
    assert judged(charter_of(team=TEAM, sources=OWNED)).status == "pass"


@pytest.mark.parametrize(
    ("blocks", "names"),
    [
        ({"team": {**TEAM, "data_analyst": {"who": " "}}}, "data analyst"),
        ({"team": {**TEAM, "product_manager": {"who": "Ada"}}}, "anybody who signs off"),
        ({"team": TEAM, "prediction": {"annotators": ["first", "second"]}}, "data labeler"),
        ({"team": TEAM, "deployment": {"target": "service"}}, "infrastructure"),
        ({"team": TEAM, "sources": [{"name": "crm", "uri": "x.csv"}]}, "who owns the source crm"),
    ],
)
def test_roles_warn_where_somebody_is_missing_and_name_the_part(
    charter_of: Any, blocks: dict[str, Any], names: str
) -> None:
    gate = judged(charter_of(**{"sources": OWNED, **blocks}))
    assert gate.status == "warn" and names in gate.message


def test_roles_fail_where_nobody_takes_the_model_over(charter_of: Any) -> None:
    without = {name: member for name, member in TEAM.items() if name != "mlops_engineer"}
    gate = judged(charter_of(team=without, sources=OWNED))
    assert gate.status == "fail" and "Nobody takes the model over" in gate.message
    assert judged(charter_of(team={**without, "engineer": {"who": "Lu"}}, sources=OWNED)).status == "pass"


@pytest.mark.parametrize("team", [{}, {"mlops_engineer": {"who": ""}, "engineer": {"signs_off": True}}])
def test_roles_skip_where_nobody_is_named_at_all(charter_of: Any, team: dict[str, Any]) -> None:
    gate = judged(charter_of(team=team))
    assert gate.status == "skip" and "open question" in gate.message


def test_every_step_names_people_and_asks_for_names_where_there_are_none(charter_of: Any) -> None:
    charter = charter_of(team={**TEAM, "lawyer": {"who": "Kim"}}, sources=OWNED, deployment={"target": "both"})
    steps = roles.steps_table(charter).set_index("step")
    assert steps.loc["Provide what it runs on", "responsible"] == "infrastructure (nobody)"
    assert "Sales" in steps.loc["Find the data, get access, know their faults", "consulted"]
    assert "Judge outcomes that no system knows" not in steps.index
    assert steps.iloc[-1]["responsible"] == "Ada"
    team = roles.team_table(charter).set_index("role")
    assert team.loc["lawyer", "who"] == "Kim" and team.loc["data labeler", "who"] == "not needed here"
    assert team.loc["product manager", "signs off"] == "yes" and team.loc["data scientist", "signs off"] == ""
    assert roles.steps_table(charter_of()).iloc[-1]["responsible"] == "nobody"


def test_every_requirement_has_somebody_who_settles_it(charter_of: Any) -> None:
    for rule in gates.CATALOGUE.values():
        assert roles.settles(charter_of(team=TEAM), rule.requirement)
    assert roles.settles(charter_of(team=TEAM), "L4a") == "Jonas (data analyst)"
    assert roles.settles(charter_of(), "L1") == "nobody: name a person for MLOps engineer"


def result(*judgements: Any, **more: Any) -> dict[str, Any]:
    return {"gates": [gate.as_dict() for gate in judgements], "parameters": {}, **more}


def test_what_stages_without_results_would_have_said_is_skipped_and_not_passed(charter_of: Any) -> None:
    found = Findings(charter_of(), {"handoff": result(judge("handoff.fault_injection", 0, "All."))})
    assert set(found.gates) == set(gates.CATALOGUE)
    assert found.computed("handoff.fault_injection") and not found.computed("poc.fairness")
    assert found.gates["poc.fairness"].message == findings.NOT_RUN
    assert found.decision()[0] == "conditional" and found.found("poc", "returns") is None


def test_the_decision_so_far_follows_the_rule_of_the_verdict(charter_of: Any) -> None:
    passing = [
        judge(rule.id, rule.warn if rule.warn is not None else rule.fail, "As it should be.")
        for rule in gates.CATALOGUE.values()
    ]
    stages = {name: result(*(gate for gate in passing if gate.stage == name)) for name in gates.STAGES}
    assert Findings(charter_of(), stages).decision()[0] == "go"
    sampled = {**stages, "eda": {**stages["eda"], "parameters": {"sample": 100}}}
    assert Findings(charter_of(), sampled).decision()[0] == "conditional"
    failed = {**stages, "handoff": result(judge("handoff.reload", 3, "They differ."))}
    decision, reasons = Findings(charter_of(), failed).decision()
    assert decision == "no-go" and "They differ." in reasons[0]


def test_a_dataclass_is_kept_as_data_and_not_as_the_text_of_its_code() -> None:
    count = Count("a", "b", 1, 2, float("nan"), 1.0)
    kept = {"of": "a", "says": "b", "hits": 1, "cases": 2, "low": None, "high": 1.0, "against": False}
    assert files.plain([count]) == [kept]
    assert files.plain(Count) == str(Count)
