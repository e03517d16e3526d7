"""When it fails: what is planted is found and told, and nothing is invented."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates
from lab2live.data import dataset, models, splits
from lab2live.data.feature_types import prepare
from lab2live.explainability.failures import conditions, failing, slices, telling_failures, unfamiliar
from lab2live.explainability.failures.failing import Scored
from lab2live.explainability.sides import Sides
from lab2live.poc.comparison import chosen
from lab2live.poc.worth import value

PROBLEMS = ("binary", "multiclass", "regression")
MONEY = {
    "binary": {"per_case": {"true_positive": 10, "false_positive": -5, "false_negative": 0, "true_negative": 0}},
    "multiclass": {"cost_matrix": [[0, 4, 8], [4, 0, 4], [8, 4, 0]]},
    "regression": {"cost_per_unit_under": 2.0, "cost_per_unit_over": 1.0},
}


def judged(name: str, value: float | None) -> str:
    return gates.judge(f"explainability.{name}", value, "why").status


def honest(generate: Any, problem: str, rows: int = 4_000, seed: int = 0) -> tuple[Any, Any, Scored]:
    """Draw cases, and outcomes exactly as the answers about them say."""
    charter, data = generate(problem, rows, seed, business={"value": MONEY[problem]})
    random = np.random.default_rng([seed, 7])
    model = models.fit(models.linear(data), data, np.arange(rows // 2))
    answers = models.answer(model, data.inputs)
    if problem == "regression":
        known = answers + random.normal(size=rows)
    else:
        said = answers if answers.ndim == 2 else np.column_stack([1 - answers, answers])
        known = (random.random(rows)[:, None] > said.cumsum(axis=1)).sum(axis=1)
    line = {"binary": value.threshold(charter), "multiclass": None, "regression": 0.0}[problem]
    decides = Sides(data.problem, data.classes, line)
    policy = value.Policy(data.problem, line=line or 0.5)
    data = dataclasses.replace(data, outcome=known)
    return charter, data, Scored(np.arange(rows), known, answers, decides, policy)


def spoilt(seen: Scored, here: np.ndarray, classes: int) -> Scored:
    if not classes:
        return dataclasses.replace(seen, known=seen.known + 4.0 * here * np.where(np.arange(len(here)) % 2, 1, -1))
    return dataclasses.replace(seen, known=np.where(here, (seen.known + 1) % classes, seen.known))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_planted_failure_is_told_first_with_its_size_and_its_money(generate: Any, problem: str) -> None:
    charter, data, seen = honest(generate, problem)
    here = ((data.raw["x3"] > 0.6) & (data.raw["colour"] == "green")).to_numpy()
    seen = spoilt(seen, here, len(data.classes))
    found = failing.failures(charter, data, seen, failing.worse(seen), 0)
    first = found[0]
    assert first.slice.confirmed and "colour is 'green'" in first.slice.text and "x3 is" in first.slice.text
    assert here[first.slice.rows].mean() > 0.9 and first.cases == len(first.slice.rows)
    off, expected = failing.errors(seen)
    assert first.happened == pytest.approx(off[first.slice.rows].mean()) and first.low < first.happened < first.high
    assert first.expected == pytest.approx(expected[first.slice.rows].mean()) and first.happened > first.expected
    assert first.lost is not None and first.lost > 0
    evidence = telling_failures.evidence(found, seen, charter)
    share, says = evidence.value, evidence.message
    assert judged("error_slices", share) == "warn" and first.slice.text in says and "EUR more per case" in says
    table = telling_failures.table(found, seen, charter=charter)
    assert table["confirmed"].iloc[0] == "yes" and any("lost per case" in name for name in table)
    assert len(telling_failures.sentences(found, seen)) == sum(one.slice.confirmed for one in found)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_nothing_is_invented(generate: Any, problem: str) -> None:
    told = []
    for seed in range(12):
        charter, data, seen = honest(generate, problem, 2_000, seed)
        for measured in (failing.worse(seen), failing.tilted(seen)):
            told.append(any(one.slice.confirmed for one in failing.failures(charter, data, seen, measured, seed)))
    assert np.mean(told) <= 0.1
    found = failing.failures(charter, data, seen, failing.worse(seen), 0)
    if not any(one.slice.confirmed for one in found):
        evidence = telling_failures.evidence(found, seen, charter)
        share, says = evidence.value, evidence.message
        assert share == 0 and judged("error_slices", share) == "pass" and "2,000 answers" in says


def test_what_fails_for_most_cases_fails_the_gate(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary")
    seen = spoilt(seen, (data.raw["colour"] == "red").to_numpy(), 2)
    evidence = telling_failures.evidence(failing.failures(charter, data, seen, failing.worse(seen), 0), seen, charter)
    share, _ = evidence.value, evidence.message
    assert judged("error_slices", share) == "fail"


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_is_measured_is_zero_on_average_with_the_variance_and_the_redraws_it_says(
    generate: Any, problem: str
) -> None:
    _, _, seen = honest(generate, problem, 20_000)
    for measured in (failing.worse(seen), failing.tilted(seen)):
        error = np.sqrt(measured.variance.mean() / 20_000)
        assert abs(measured.values.mean()) < 4 * error
        assert measured.values.var() == pytest.approx(measured.variance.mean(), rel=0.1)
        rows = np.arange(0, 20_000, 40)
        drawn = measured.redraw(np.random.default_rng(0), rows, 300)
        assert drawn.shape == (300, 500) and abs(drawn.mean()) < 5 * np.sqrt(measured.variance[rows].mean() / 150_000)
        assert drawn.var(axis=0).mean() == pytest.approx(measured.variance[rows].mean(), rel=0.1)


def test_confidence_that_is_misplaced_is_told_also_where_it_does_no_harm(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary")
    here = (data.raw["colour"] == "blue").to_numpy()
    calm = np.where(here & (seen.answers > 0.5), 1, np.where(here, 0, seen.known))  # always as the model thinks
    calm_seen = dataclasses.replace(seen, known=calm)
    worse = failing.failures(charter, data, calm_seen, failing.worse(calm_seen), 0)
    assert not any(one.slice.confirmed for one in worse)
    never = dataclasses.replace(seen, known=np.where(here, 0, seen.known))
    tilted = failing.failures(charter, data, never, failing.tilted(never), 0)
    assert tilted[0].slice.confirmed and "colour is 'blue'" in tilted[0].slice.text and tilted[0].happened == 0
    said = telling_failures.sentences(tilted, never, telling_failures.TILTED)
    assert "came 0%, expected" in said[0]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_cases_that_are_hard_to_tell_are_named_and_are_no_failure(generate: Any, problem: str) -> None:
    """In one kind of cases nothing is known of the outcome, and the model says so."""
    charter, data, seen = honest(generate, problem)
    here = (data.raw["colour"] == "green").to_numpy()
    random = np.random.default_rng(5)
    if problem == "regression":
        known = seen.known + here * random.normal(0, 4, len(here))
        seen = dataclasses.replace(seen, known=known)
    else:
        answers, count = seen.answers.copy(), len(data.classes)
        answers[here] = 1 / count
        seen = dataclasses.replace(
            seen, answers=answers, known=np.where(here, random.integers(count, size=len(here)), seen.known)
        )
    found = failing.failures(charter, data, seen, failing.harder(seen), 0)
    assert found[0].slice.confirmed and "colour is 'green'" in found[0].slice.text
    assert found[0].happened > found[0].expected == pytest.approx(failing.errors(seen)[0].mean())
    assert "all cases" in telling_failures.table(found, seen, against="all cases")
    worse = failing.failures(charter, data, seen, failing.worse(seen), 0)
    if problem != "regression":  # which says nothing of its own about how far off it may be
        assert not any(one.slice.confirmed for one in worse)


def test_rare_outcomes_that_happen_not_to_come_are_no_finding() -> None:
    """With 1 in 50 it is no surprise that 60 cases have none; an estimated variance would call it certain."""
    rare = np.full(120, 0.02)
    seen = Scored(np.arange(120), np.zeros(120, int), rare, Sides("binary", ("no", "yes"), 0.5), value.Policy("binary"))
    measured = failing.tilted(seen)
    half = np.ones(120, dtype=bool)
    _, chance = slices._by_chance(measured, np.arange(60), half, None, np.random.default_rng(0))
    assert chance > 0.2


def test_cases_that_belong_together_stay_together_and_count_once(generate: Any) -> None:
    _, _, seen = honest(generate, "binary", 2_000)
    groups = np.arange(2_000) // 50
    half = slices._half(np.random.default_rng(0), 2_000, groups)
    assert all(len(set(half[groups == one])) == 1 for one in range(40)) and 0.4 < half.mean() < 0.6
    # one group in which everything goes wrong is one piece of evidence, not fifty
    wrong = groups == int(groups[half][0])
    seen = spoilt(seen, wrong, 2)
    measured, inside = failing.worse(seen), np.flatnonzero(wrong)
    alone = slices._by_chance(measured, inside, half, None, np.random.default_rng(0))[1]
    together = slices._by_chance(measured, inside, half, groups, np.random.default_rng(0))[1]
    assert alone < 0.01 and together > 0.4


def test_the_half_that_confirms_is_not_the_one_that_was_searched(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary", 2_000)
    seen = spoilt(seen, (data.raw["x3"] > 1).to_numpy(), 2)
    found = failing.failures(charter, data, seen, failing.worse(seen), 3)
    half = slices._half(np.random.default_rng(3), 2_000, None)
    assert found and not any(half[one.slice.rows].any() for one in found)
    rows = np.concatenate([one.slice.rows for one in found])
    assert len(np.unique(rows)) == len(rows)  # no case is told twice


def test_twins_are_merged_and_one_condition_is_preferred(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary")
    raw = data.raw.assign(copy=data.raw["colour"].map({"red": "r", "green": "g", "blue": "b"}))
    inputs_columns = dataclasses.replace(
        data.columns,
        kinds={**data.columns.kinds, "copy": "category"},
        levels={**data.columns.levels, "copy": ("b", "g", "r")},
    )
    data = dataclasses.replace(data, raw=raw, columns=inputs_columns)
    seen = spoilt(seen, (raw["colour"] == "green").to_numpy(), 2)
    found = failing.failures(charter, data, seen, failing.worse(seen), 0)
    assert found[0].slice.text == "colour is 'green'" and found[0].slice.also == ("copy is 'g'",)
    assert sum(one.slice.confirmed for one in found) == 1
    assert "(or: copy is 'g')" in telling_failures.table(found, seen)["cases in which"].iloc[0]


def test_failures_that_overlap_are_told_without_telling_a_case_twice(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary")
    here = ((data.raw["colour"] == "green") | (data.raw["x3"] > 0.9)).to_numpy()
    found = failing.failures(charter, data, spoilt(seen, here, 2), failing.worse(spoilt(seen, here, 2)), 0)
    sure = [one for one in found if one.slice.confirmed]
    assert len(sure) >= 2 and {"colour", "x3"} <= {one.slice.text.split()[0] for one in sure}
    rows = np.concatenate([one.slice.rows for one in found])
    assert len(np.unique(rows)) == len(rows)


def test_a_narrow_band_is_told_closely(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary")
    place = data.raw["x3"].rank(pct=True)
    here = ((place > 0.27) & (place < 0.32)).to_numpy()  # across the border of two tenths
    seen = spoilt(seen, here, 2)
    first = failing.failures(charter, data, seen, failing.worse(seen), 0)[0]
    assert first.slice.confirmed and here[first.slice.rows].mean() > 0.7 and " to below " in first.slice.text


def test_one_condition_is_told_where_a_second_adds_hardly_anything() -> None:
    random = np.random.default_rng(0)
    bad, idle = random.random((2, 2_000)) < 0.3
    each = (conditions.Condition("a", "is bad"), conditions.Condition("b", "is 'x'"))
    told = conditions.Conditions(each, np.column_stack([bad, ~idle]))
    values = bad + random.normal(0, 0.5, 2_000) + 0.4 * (bad & ~idle)
    measured = slices.Measured(
        values - values.mean(), np.full(2_000, 0.25), lambda *_: np.zeros((1, 1)), values, values
    )
    everyone = np.ones(2_000, dtype=bool)
    assert slices._clearest(told, measured, everyone)[0] == [0]
    much = bad & ~idle
    values = 2.0 * much + random.normal(0, 0.5, 2_000)
    measured = dataclasses.replace(measured, values=values - values.mean())
    assert slices._clearest(told, measured, everyone)[0] == [0, 1]


def test_a_rare_category_and_a_value_just_beyond_are_no_strange_case(charter_of: Any) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "size": random.random(6_000),
            "kind": np.where(random.random(6_000) < 0.01, "rare", random.choice(["a", "b"], 6_000)),
            "y": random.choice(["yes", "no"], 6_000),
        }
    )
    data = dataset.dataset(charter_of(), frame)
    seen = unfamiliar.learn(data.inputs, data.columns, 0)
    rare = data.inputs[data.inputs["kind"] == "rare"]
    assert len(rare) > 30 and np.mean([bool(one) for one in unfamiliar.strange(seen, rare)]) < 0.3
    edge = frame.iloc[[0]].drop(columns="y")
    assert not unfamiliar.strange(seen, prepare(edge.assign(size=[1.05]), data.columns))[0]
    assert unfamiliar.strange(seen, prepare(edge.assign(size=[1.2]), data.columns))[0]


def test_conditions_are_words_in_the_users_units_and_hold_where_they_say(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "bill": random.normal(100, 20, 400),
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 700, 400), unit="D"),
            "<b>'kind'</b>": random.choice(["a", "b"], 400),
            "empty": np.where(random.random(400) < 0.3, np.nan, random.random(400)),
            "y": random.choice(["yes", "no"], 400),
        }
    )
    data = dataset.dataset(charter_of(), frame)
    found = conditions.conditions(data.raw, data.columns, {"bill": "EUR"})
    said = {found.words([place]): found.holds[:, place] for place in range(len(found.each))}
    assert "empty is not known" in said and (said["empty is not known"] == frame["empty"].isna()).all()
    assert (said["<b>'kind'</b> is 'a'"] == (frame["<b>'kind'</b>"] == "a")).all()
    assert any("EUR or more" in text for text in said) and any("before 2024-" in text for text in said)
    for text, mask in said.items():
        if text.startswith("bill is below"):
            assert (mask == (frame["bill"] < float(text.split()[3]) + 0.05)).mean() > 0.99
    wide = pd.DataFrame(random.normal(size=(300, 300))).rename(columns=str).assign(y=frame["y"])
    wider = dataset.dataset(charter_of(), wide.iloc[:300])
    assert conditions.conditions(wider.raw, wider.columns).holds.shape[1] <= conditions.MOST_CONDITIONS


def test_too_few_answers_are_said(generate: Any) -> None:
    charter, data, seen = honest(generate, "binary", 150)
    assert failing.failures(charter, data, seen, failing.worse(seen), 0) == ()
    evidence = telling_failures.evidence((), seen, charter)
    value, why = evidence.value, evidence.message
    assert judged("error_slices", value) == "skip" and "Fewer than 200" in why


def test_evidence_is_every_answer_about_a_case_not_learnt_from(generate: Any) -> None:
    charter, data = generate("binary", 300)
    split = splits.split(charter, data, 0)
    held_out = np.linspace(0, 1, len(split.train))
    held_out[:7] = np.nan
    picked = chosen.Chosen("linear", None, held_out, value.Policy("binary"), True)
    seen = failing.scored(data, split, picked, np.full(len(split.test), 0.5), Sides("binary", data.classes, 0.5), 0)
    assert len(seen.rows) == 293 and set(split.test) <= set(seen.rows) and not set(split.train[:7]) & set(seen.rows)
    assert (seen.known == data.outcome[seen.rows]).all()


def learnt(charter_of: Any, rows: int = 3_000) -> tuple[Any, pd.DataFrame, unfamiliar.Familiar]:
    random = np.random.default_rng(0)
    size = random.normal(size=rows)
    frame = pd.DataFrame(
        {
            "height": 170 + 10 * size,
            "weight": 70 + 10 * size + random.normal(0, 1, rows),
            "born": pd.Timestamp("1970-01-01") + pd.to_timedelta(random.integers(0, 9_000, rows), unit="D"),
            "colour": random.choice(["red", "blue"], rows),
            "gap": np.where(random.random(rows) < 0.2, np.nan, random.random(rows)),
            "y": random.choice(["yes", "no"], rows),
        }
    )
    data = dataset.dataset(charter_of(), frame)
    return data, frame, unfamiliar.learn(data.inputs.iloc[: rows // 2], data.columns, 0)


def test_the_unfamiliar_is_told_and_the_familiar_is_not(charter_of: Any) -> None:
    data, frame, seen = learnt(charter_of)
    usual = unfamiliar.strange(seen, data.inputs.iloc[1_500:])
    assert np.mean([bool(one) for one in usual]) < 0.02
    evidence = unfamiliar.evidence(usual, np.zeros(1_500), unfamiliar.later(seen, data.inputs.iloc[1_500:]))
    value, says = evidence.value, evidence.message
    assert judged("out_of_distribution", value) == "pass" and "too few of them" in says
    assert "Of the newest by born, " in says and "time_column" not in says
    case = frame.iloc[[1_600]].drop(columns="y")
    for column, other, wanted in (
        ("height", 999.0, "height is 999; what was learnt from lies between"),
        ("born", pd.Timestamp("2100-01-01"), "born is 2100-01-01; what was learnt from lies between"),
        ("colour", "green", "colour has a value that did not occur"),
        ("colour", None, "colour is not known; it always was"),
        ("height", np.nan, "height is not known; it always was"),
    ):
        told = unfamiliar.strange(seen, prepare(case.assign(**{column: [other]}), data.columns))[0]
        assert any(one.startswith(wanted) for one in told), told
    assert not unfamiliar.strange(seen, prepare(case.assign(gap=[np.nan]), data.columns))[0]
    tall = case.assign(height=[190.0], weight=[52.0])  # each is usual, both together are not
    told = unfamiliar.strange(seen, prepare(tall, data.columns))[0]
    assert len(told) == 1 and "combination" in told[0] and "height" in told[0] and "weight" in told[0]


def test_many_strange_cases_warn_and_their_error_is_told(charter_of: Any) -> None:
    data, _, seen = learnt(charter_of)
    mixed = data.inputs.assign(height=data.inputs["height"].to_numpy()[::-1])
    said = unfamiliar.strange(seen, mixed)
    flagged = np.array([bool(one) for one in said])
    evidence = unfamiliar.evidence(said, flagged.astype(float), {})
    value, says = evidence.value, evidence.message
    assert judged("out_of_distribution", value) == "warn" and "its mean error is 1 there and 0 elsewhere" in says
    assert judged("out_of_distribution", unfamiliar.evidence([], np.array([]), {}).value) == "skip"


@pytest.mark.parametrize("as_time", [False, True])
def test_a_date_that_moves_on_makes_every_case_of_the_next_months_strange(charter_of: Any, as_time: bool) -> None:
    random = np.random.default_rng(1)
    moments = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(random.integers(0, 500, 2_000)), unit="D")
    frame = pd.DataFrame({"ordered at": moments, "size": random.normal(size=2_000), "y": ["yes", "no"] * 1_000})
    charter = charter_of(prediction={"time_column": "ordered at"} if as_time else {})
    data = dataset.dataset(charter, frame)
    seen = unfamiliar.learn(data.inputs.iloc[::2], data.columns.without(charter.prediction.time_column), 0)
    held_back = data.inputs.iloc[1::2]
    said = unfamiliar.strange(seen, held_back)
    evidence = unfamiliar.evidence(said, np.zeros(len(said)), unfamiliar.later(seen, held_back))
    value, says = evidence.value, evidence.message
    assert judged("out_of_distribution", value) == ("pass" if as_time else "warn")
    assert ("`prediction.time_column`" in says) is not as_time
    # and so it comes: what the model is asked half a year later
    coming = prepare(frame.assign(**{"ordered at": moments + pd.Timedelta(days=560)}), data.columns)
    share = np.mean([bool(one) for one in unfamiliar.strange(seen, coming)])
    assert share < 0.05 if as_time else share == 1


def test_what_is_familiar_survives_json_and_few_cases_say_nothing_of_combinations(charter_of: Any) -> None:
    data, _, seen = learnt(charter_of)
    again = unfamiliar.Familiar.from_dict(json.loads(json.dumps(seen.to_dict())))
    assert unfamiliar.strange(again, data.inputs[:300]) == unfamiliar.strange(seen, data.inputs[:300])
    few = unfamiliar.learn(data.inputs.iloc[:50], data.columns, 0)
    assert np.isinf(few.limit) and unfamiliar.Familiar.from_dict(json.loads(json.dumps(few.to_dict()))) == few
    assert not any("combination" in text for one in unfamiliar.strange(few, data.inputs[:100]) for text in one)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_only_what_is_worse_is_listed_as_worse(problem: str) -> None:
    known: Any = problem
    seen = Scored(np.arange(3), np.zeros(3), np.zeros(3), Sides(known), value.Policy(known))
    kinds = [
        failing.Failure(slices.Slice(text, (), np.arange(9), 0.1, 0.5, False), 9, happened, 0.2, 0.5, 0.37, None)
        for text, happened in (("better", 0.35), ("worse", 0.40))
    ]
    assert telling_failures.table(kinds, seen)["cases in which"].tolist() == ["worse"]
    assert len(telling_failures.table(kinds, seen, telling_failures.TILTED)) == 2


def test_what_is_better_than_promised_is_no_failure_where_all_others_are_better_still() -> None:
    values = np.where(np.arange(2_000) < 200, -0.05, -0.5)
    measured = slices.Measured(
        values, np.full(2_000, 0.01), lambda _, rows, n: np.zeros((n, len(rows))), values, values
    )
    half = np.ones(2_000, dtype=bool)
    excess, chance = slices._by_chance(measured, np.arange(200), half, None, np.random.default_rng(0))
    assert excess < 0 and chance == 1
