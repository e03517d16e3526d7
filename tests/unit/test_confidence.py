"""How sure: probabilities that are right pass and others do not, and promises about single cases are kept."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lab2live.charter import gates
from lab2live.data import splits
from lab2live.data.intervals import wilson
from lab2live.explainability.confidence import alike, calibration, conformal, coverage, telling_sure
from lab2live.explainability.sides import Sides
from lab2live.reporting import plots

LINE = Sides("binary", ("no", "yes"), 0.5)


def judged(name: str, value: float | None) -> str:
    return gates.judge(f"explainability.{name}", value, "why").status


def drawn(problem: str, rows: int, seed: int, tilt: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw outcomes, and answers that are right; with `tilt` above 1 they are too sure, or in a regression too wide."""
    random = np.random.default_rng(seed)
    margin = random.normal(-1.0, 1.3, rows)
    if problem == "regression":
        return margin + random.normal(size=rows), tilt * margin
    if problem == "multiclass":
        margins = np.column_stack([margin, random.normal(size=rows), np.zeros(rows)])
        truth = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
        said = np.exp(tilt * margins) / np.exp(tilt * margins).sum(axis=1, keepdims=True)
        return (random.random(rows)[:, None] > truth.cumsum(axis=1)).sum(axis=1), said
    known = (random.random(rows) < 1 / (1 + np.exp(-margin))).astype(int)
    return known, 1 / (1 + np.exp(-tilt * margin))


PROBLEMS = ("binary", "multiclass", "regression")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_answers_that_are_right_pass_and_those_that_are_too_sure_do_not(problem: str) -> None:
    right = calibration.calibration(problem, *drawn(problem, 3_000, 1), seed=0)  # type: ignore[arg-type]
    wrong = calibration.calibration(problem, *drawn(problem, 3_000, 0, tilt=3.0), seed=0)  # type: ignore[arg-type]
    assert (
        judged("calibration", right.evidence.value) == "pass"
        and "no more than chance explains" in right.evidence.message
    )
    assert (
        judged("calibration", wrong.evidence.value) == "fail" and "more than chance explains" in wrong.evidence.message
    )
    assert wrong.miscalibration > 3 * right.miscalibration


@pytest.mark.parametrize("problem", PROBLEMS)
def test_answers_that_are_right_are_hardly_ever_called_off(problem: str) -> None:
    found = [calibration.calibration(problem, *drawn(problem, 400, seed), seed=seed) for seed in range(40)]  # type: ignore[arg-type]
    assert np.mean([one.evidence.value > 0 for one in found]) <= 0.15  # type: ignore[operator]
    # with few cases the raw error is never small: only beyond chance it says something
    assert np.mean([one.error for one in found]) > 0.02  # type: ignore[misc]


def test_the_squared_error_is_taken_apart_without_a_rest() -> None:
    known, said = drawn("binary", 2_000, 1, tilt=1.5)
    found = calibration.calibration("binary", known, said, 0)
    assert found.loss == pytest.approx(np.mean((known - said) ** 2))
    assert found.uncertainty == pytest.approx(known.mean() * (1 - known.mean()))
    assert found.loss == pytest.approx(found.miscalibration - found.discrimination + found.uncertainty)
    assert found.miscalibration > 0 and found.discrimination > 0
    flat = calibration.calibration("binary", known, np.full(2_000, known.mean()), 0)
    assert flat.discrimination == pytest.approx(0) and flat.miscalibration == pytest.approx(0) and len(flat.curve) == 1


def test_a_bin_of_positives_alone_is_drawn() -> None:
    found = calibration.calibration("binary", *drawn("binary", 400, 0), seed=0)
    curve = found.curve.assign(happened=1.0, high=1 - 1e-16, low=0.9)
    curve.loc[0, "high"] = 0.98  # an interval may end short of its estimate
    figure = calibration.chart(dataclasses.replace(found, curve=curve), "yes")
    assert "happened 100% (90% to 98%)" in plots.alt(figure)


def test_cases_that_belong_together_leave_more_to_chance() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    known = np.repeat(random.random(40) < 0.4, 25).astype(int)
    said = np.full(1_000, 0.4) + random.normal(0, 0.01, 1_000)
    alone = calibration.calibration("binary", known, said, 0)
    together = calibration.calibration("binary", known, said, 0, groups)
    assert together.chance > 2 * alone.chance


def test_too_few_cases_are_said_and_skip_the_gate() -> None:
    evidence = calibration.calibration("binary", np.array([0, 1]), np.array([0.2, 0.7]), 0).evidence
    value, why = evidence.value, evidence.message
    assert judged("calibration", value) == "skip" and "fewer than 20" in why


@pytest.mark.parametrize("problem", PROBLEMS)
def test_calibration_is_drawn_with_all_its_numbers_in_words(problem: str) -> None:
    known, said = drawn(problem, 500, 0)
    found = calibration.calibration(problem, known, said, 0)  # type: ignore[arg-type]
    figure = calibration.chart(found, "<b>yes</b>", "EUR")
    assert isinstance(figure, Figure) and plots.alt(figure).count("happened") >= len(found.curve)
    assert "average" in found.sentence or "Always saying" in found.sentence


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60))
def test_the_interval_of_a_share_is_wilsons(hits: int, more: int) -> None:
    from scipy import stats

    cases = hits + more
    low, high = wilson(np.array(hits), np.array(cases))
    wanted = stats.binomtest(hits, cases).proportion_ci(0.95, method="wilson")
    assert (float(low), float(high)) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_promise_is_kept_in_every_class_and_at_every_level(problem: str) -> None:
    shares = []
    for seed in range(10):
        known, said = drawn(problem, 6_000, seed, tilt=1.4)  # a promise must hold also where answers are off
        promise = conformal.learn(problem, known[:3_000], said[:3_000])  # type: ignore[arg-type]
        kept = promise.covers(known[3_000:], said[3_000:])
        place = known[3_000:] if problem != "regression" else promise.place(said[3_000:])
        shares.append([kept.mean(), *(kept[place == one].mean() for one in range(len(promise.cases)))])
    assert np.all(np.mean(shares, axis=0) > 0.885) and np.all(np.mean(shares, axis=0) < 0.92)


def test_one_promise_for_all_is_broken_for_the_rare_class() -> None:
    random = np.random.default_rng(0)
    known = (random.random(20_000) < 0.1).astype(int)
    said = np.clip(0.1 + 0.15 * known + random.normal(0, 0.08, 20_000), 0, 1)
    for conditional, low, high in ((False, 0.0, 0.7), (True, 0.86, 0.94)):
        promise = conformal.learn("binary", known[:10_000], said[:10_000], conditional=conditional)
        kept = promise.covers(known[10_000:], said[10_000:])
        assert 0.88 < kept.mean() < 0.92 and low <= kept[known[10_000:] == 1].mean() <= high


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.randoms(use_true_random=False))
def test_the_quantile_is_the_smallest_that_the_next_value_stays_below_often_enough(
    count: int, level: float, random: Any
) -> None:
    values = np.array([random.random() for _ in range(count)])
    limit = conformal._quantile(values, level)
    # of count + 1 values that could come in any order, the new one is as likely to take any place
    below = (values <= limit).sum() if np.isfinite(limit) else count + 1
    assert below / (count + 1) >= level - 1e-9
    if np.isfinite(limit):
        assert (values < limit).sum() / (count + 1) < level


def test_with_too_few_cases_nothing_is_ruled_out_and_that_is_said() -> None:
    promise = conformal.learn("binary", np.array([0] * 60 + [1] * 5), np.linspace(0, 1, 65))
    assert promise.sets(np.array([0.01, 0.99]))[:, 1].all()
    assert "yes (5 cases)" in promise.few(["no", "yes"]) and "no (60" not in promise.few(["no", "yes"])
    assert conformal.learn("binary", np.zeros(60, int), np.linspace(0, 1, 60)).cases == (60, 0)
    number = conformal.learn("regression", np.arange(10.0), np.zeros(10))
    assert number.cases == (10,) and np.isinf(number.ranges(np.array([0.0]))[1][0])
    sure = telling_sure.Sure(number, None, Sides("regression"))
    assert "nothing can be ruled out" in sure.words(3.0)[0]
    told = np.array([np.nan, *np.linspace(0, 1, 199)])
    assert sum(conformal.learn("binary", np.arange(200) % 2, told).cases) == 199


@pytest.mark.parametrize("problem", PROBLEMS)
def test_how_sure_survives_json(problem: str) -> None:
    known, said = drawn(problem, 900, 0)
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[problem]
    line = {"binary": 0.5, "multiclass": None, "regression": np.inf}[problem]
    found = telling_sure.sure(Sides(problem, classes, line), known, said)  # type: ignore[arg-type]
    again = telling_sure.Sure.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found and again.words(said[0], "EUR") == found.words(said[0], "EUR")
    infinite = conformal.Conformal("binary", 0.9, ((0.0, 0.3), (0.0, np.inf)), (), (60, 3))
    assert conformal.Conformal.from_dict(json.loads(json.dumps(infinite.to_dict()))) == infinite


def test_of_100_cases_like_this_counts_cases_with_this_output_and_a_similar_probability() -> None:
    known, said = drawn("binary", 20_000, 3)
    found = alike.learn(LINE, known, said)
    assert sum(map(sum, found.cases)) == 20_000 and len(found.cases[0]) == 10
    for code, probability in ((1, 0.9), (1, 0.55), (0, 0.9)):
        cases, right = found.of(code, probability)
        own = said if code else 1 - said
        edges = [0.5, *found.edges[code], 1.0]
        group = int(np.searchsorted(found.edges[code], probability, side="right"))
        here = (LINE.code(said) == code) & (own >= edges[group]) & (own < edges[group + 1] + (group == 9))
        assert cases == here.sum() and right == (known[here] == code).sum()
        assert abs(right / cases - own[here].mean()) < 0.05
    words = alike.words(found, LINE, 0.9, ("no", "yes"))
    assert words.startswith("Of 100 cases like this, ") and "turned out 'yes'" in words
    never = alike.learn(Sides("binary", ("no", "yes"), 2.0), known, said)
    assert "turned out 'no'" in alike.words(never, Sides("binary", ("no", "yes"), 2.0), 0.9, ("no", "yes"))
    assert "nobody can say" in alike.words(never, LINE, 0.9, ("no", "yes"))
    few = alike.words(alike.learn(LINE, known[:30], said[:30]), LINE, 0.1, ("no", "yes"))
    assert "These are few cases." in few


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ((0.2, 0.95), "With 90% confidence the outcome is 'yes'."),
        ((0.99, 0.99), "no outcome can be ruled out: 'no' or 'yes'"),
        ((0.1, 0.1), "every outcome could be ruled out"),
    ],
)
def test_what_cannot_be_ruled_out_is_said_in_words(limits: tuple[float, float], wanted: str) -> None:
    promise = conformal.Conformal("binary", 0.9, tuple((0.0, high) for high in limits), (), (99, 99))
    assert wanted in telling_sure.Sure(promise, None, LINE).set_words(0.6)
    three = conformal.Conformal("multiclass", 0.9, ((0.0, 0.6), (0.0, 0.6), (0.0, 0.6)), (), (99, 99, 99))
    some = telling_sure.Sure(three, None, Sides("multiclass", ("a", "b", "c")))
    assert some.set_words(np.array([0.5, 0.45, 0.05])) == "With 90% confidence the outcome is 'a' or 'b'."
    number = conformal.Conformal("regression", 0.9, ((-2.0, 3.0),), (), (99,))
    between = telling_sure.Sure(number, None, Sides("regression")).set_words(10.0, "EUR")
    assert between == "With 90% confidence the outcome lies between 8 and 13 EUR."


@pytest.mark.parametrize("problem", PROBLEMS)
def test_coverage_is_counted_for_every_group(generate: Any, problem: str) -> None:
    charter, data = generate(problem, 1_500, prediction={"sensitive": ["colour", "gone"]})
    split = splits.split(charter, data, 0)
    random = np.random.default_rng(0)
    if problem == "regression":
        answers = data.outcome + random.normal(size=1_500)
    elif problem == "binary":
        answers = np.clip(0.5 + 0.3 * (2 * data.outcome - 1) + random.normal(0, 0.2, 1_500), 0, 1)
    else:
        answers = random.dirichlet([1, 1, 1], 1_500)
    promise = conformal.learn(data.problem, data.outcome[split.train], answers[split.train])
    covered = coverage.coverage(charter, data, split.test, promise, answers[split.test])
    assert covered[0].group == coverage.EVERY and covered[0].cases == len(split.test)
    own = [one for one in covered if one.column == ("predicted level" if problem == "regression" else "outcome")]
    assert sum(one.cases for one in own) == len(split.test) and len(own) == len(promise.cases)
    people = [one for one in covered if one.column == "colour"]
    assert {one.group for one in people} == {"red", "green", "blue", "not stated"}
    assert sum(one.kept for one in people) == covered[0].kept
    assert len(coverage.table(covered, promise)) == len(covered)
    assert judged("coverage", coverage.evidence(covered, promise, data.classes).value) in ("pass", "warn")


def test_a_broken_promise_fails_and_names_the_group() -> None:
    promise = conformal.Conformal("binary", 0.9, ((0.0, 0.5), (0.0, 0.5)), (), (500, 500))
    fine = [coverage.Covered("", coverage.EVERY, 1_000, 905, 0.5), coverage.Covered("age", "old", 100, 86, 0.5)]
    broken = [*fine, coverage.Covered("age", "young", 200, 150, 0.5), coverage.Covered("age", "few", 10, 0, 0.5)]
    assert judged("coverage", coverage.evidence(fine, promise, ("no", "yes")).value) == "pass"
    evidence = coverage.evidence(broken, promise, ("no", "yes"))
    value, says = evidence.value, evidence.message
    assert judged("coverage", value) == "fail" and "for age young in 75% of 200 cases" in says
    assert "1 group is too small" in says
    assert judged("coverage", coverage.evidence([coverage.Covered("", "all", 9, 9, 1.0)], promise, ()).value) == "skip"
    thin = conformal.Conformal("binary", 0.9, ((0.0, 0.5), (0.0, 0.5)), (), (500, 20))
    assert "yes (20 cases)" in coverage.evidence(fine, thin, ("no", "yes")).message
    unlearnt = conformal.Conformal("binary", 0.9, ((0.0, 0.5), (0.0, np.inf)), (), (500, 0))
    assert judged("coverage", coverage.evidence(fine, unlearnt, ("no", "yes")).value) == "skip"


def test_one_of_many_groups_may_look_worse_by_chance() -> None:
    promise = conformal.Conformal("binary", 0.9, ((0.0, 0.5), (0.0, 0.5)), (), (500, 500))
    low = coverage.Covered("town", "unlucky", 100, 80, 0.5)
    alone, among = [low], [low, *(coverage.Covered("town", str(n), 100, 90, 0.5) for n in range(60))]
    assert judged("coverage", coverage.evidence(alone, promise, ("no", "yes")).value) == "warn"
    assert judged("coverage", coverage.evidence(among, promise, ("no", "yes")).value) == "pass"


def test_predicted_levels_have_names() -> None:
    four = conformal.Conformal("regression", 0.9, ((-1.0, 1.0),) * 3, (10.0, 20.0), (99, 99, 99))
    assert coverage.names(four, ()) == ["below 10", "10 to 20", "from 20 on"]
    assert coverage.names(conformal.Conformal("regression", 0.9, ((-1.0, 1.0),), (), (99,)), ()) == ["every level"]


def test_nearly_all_cases_like_this_are_not_called_all() -> None:
    sides = Sides("binary", ("no", "yes"), 0.5)
    for wrong, told in ((1, "more than 99 turned out 'yes'"), (0, "100 turned out 'yes'"), (299, "less than 1 turned")):
        found = alike.Alike(((), ()), ((0,), (300,)), ((0,), (300 - wrong,)))
        assert f"Of 100 cases like this, {told}" in alike.words(found, sides, 0.9, ("no", "yes"))
