"""The ladder: it chooses what is known to be right, and does not believe in noise."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lab2live.charter import metrics
from lab2live.charter.schema import Answer, PerCase
from lab2live.data import dataset, intervals, models, splits
from lab2live.errors import UserError
from lab2live.pipeline import hooks
from lab2live.poc import business
from lab2live.poc.comparison import chosen, ladder, reach, telling, tuning
from lab2live.poc.worth import value
from lab2live.poc.worth.returns import Returns


def climbed(charter: Any, data: Any, folds: int = 3, repeats: int = 1, seed: int = 0, budget: int = 0) -> ladder.Climb:
    split = splits.split(charter, data, seed)
    return ladder.climb(charter, data, split, folds=folds, repeats=repeats, seed=seed, budget=budget)


def climb(charter: Any, data: Any, **how: Any) -> ladder.Ladder:
    return climbed(charter, data, **how).ladder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boosting take fewer, larger steps: what is tested here is the comparison."""
    slow = models.boosting

    def boosting(data: Any, seed: int, settings: Any = None) -> Any:
        model = slow(data, seed, settings)
        settings = {"max_iter": 25, "learning_rate": 0.2}
        inner = model[-1]
        inner.set_params(**({f"estimator__{k}": v for k, v in settings.items()} if hasattr(inner, "cv") else settings))
        return model

    monkeypatch.setattr(models, "boosting", boosting)
    monkeypatch.setattr(intervals, "BOOTSTRAPS", 40)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_where_the_truth_is_linear_the_linear_model_is_chosen(generate: Any, quick: None, problem: str) -> None:
    charter, data = generate(problem, 600)
    found = climb(charter, data)
    assert found.chosen == "linear" and found.baseline == "constant"
    assert found.confidence > 0.95 and found.gain_low > 0
    assert [rung.name for rung in found.rungs] == ["constant", "linear", "additive", "boosting"]
    assert found.metric == {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}[problem]
    assert abs(found.optimism) < 3
    for rung in found.rungs:
        assert rung.low <= rung.mean <= rung.high and rung.test_low <= rung.test <= rung.test_high
        assert len(rung.scores) == 3 and rung.mean == pytest.approx(np.mean(rung.scores))


def test_where_only_the_interplay_counts_boosting_is_chosen(generate: Any, quick: None) -> None:
    found = climb(*generate("xor", 600))
    assert found.chosen == "boosting" and found.confidence > 0.975
    assert found.rung("linear").mean < 0.6 < 0.8 < found.rung("boosting").mean < 0.95


@pytest.mark.slow
def test_noise_hardly_ever_beats_the_constant(generate: Any, quick: None) -> None:
    confident = [climb(*generate("noise", 150, seed=seed), seed=seed).confidence > 0.975 for seed in range(20)]
    # 1 in 40 by the limit itself, somewhat more because the better of two models is the one that is compared
    assert sum(confident) <= 3


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "balanced_accuracy"])
def test_every_metric_of_two_classes_ranks_the_model_above_the_constant(
    generate: Any, quick: None, metric: str
) -> None:
    found = climb(*generate("binary", 400, prediction={"metric": metric}))
    assert found.metric == metric and found.gain > 0.02


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_an_error_is_required_as_a_plain_number(generate: Any, quick: None, metric: str) -> None:
    for required, reached in ((5.0, True), (0.1, False)):
        charter, data = generate("regression", 400, prediction={"metric": metric, "required_score": required})
        found = climb(charter, data)
        assert found.rung("linear").mean < 0
        evidence = telling.required(charter, found)
        share, message = evidence.value, evidence.message
        assert share == found.reached and (found.reached > 0.9) == reached
        assert message.startswith(f"−{required:g} is needed")


def test_a_metric_of_two_classes_is_refused_for_three(generate: Any) -> None:
    charter, data = generate("multiclass", 100, prediction={"metric": "roc_auc"})
    with pytest.raises(UserError) as caught:
        ladder.metric_of(charter, data)
    assert caught.value.details["expected"] == "balanced_accuracy"


def with_rule(monkeypatch: pytest.MonkeyPatch, rule: Any) -> None:
    monkeypatch.setattr(hooks, "rule", lambda charter: rule)


def test_a_rule_that_knows_the_truth_is_the_baseline_and_is_not_beaten(
    generate: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter, data = generate("binary", 400, prediction={"positive_class": "yes"})

    def truth(frame: pd.DataFrame) -> np.ndarray:
        return (1.6 * frame["x1"].fillna(0) - 1.1 * frame["x2"] + 1.2 * (frame["colour"] == "red")).to_numpy()

    with_rule(monkeypatch, truth)
    found = climb(charter, data)
    assert found.baseline == "rule" and found.no_rule == ""
    assert found.confidence < 0.975 and abs(found.gain) < 0.05
    assert found.rung("rule").scores != found.rung("constant").scores


def test_a_rule_for_several_classes_answers_with_their_names(
    generate: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter, data = generate("multiclass", 400)
    with_rule(monkeypatch, lambda frame: np.where(frame["x1"].fillna(0) > 0, "high", "low"))
    found = climb(charter, data)
    assert found.rung("rule").mean > found.rung("constant").mean == pytest.approx(1 / 3)


def test_a_rule_that_answers_with_an_unknown_class_is_a_message_and_not_an_easy_baseline(
    generate: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_rule(monkeypatch, lambda frame: np.full(len(frame), "nobody"))
    with pytest.raises(UserError, match="class that the target does not have") as caught:
        climb(*generate("multiclass", 300))
    assert caught.value.details["found"] == "nobody"


def test_without_a_rule_the_page_says_why(generate: Any, quick: None) -> None:
    found = climb(*generate("binary", 200))
    assert "project.package" in found.no_rule and found.no_rule in telling.beats_baseline(found).message


def test_a_known_calculation_of_the_corrected_error() -> None:
    scores = np.array([0.7, 0.8, 0.9, 0.8])
    # the variance is 0.02 / 3; 1/4 of it, and the ratio 1/3 of it on top
    assert intervals.corrected_error(scores, 1 / 3) == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * 0.02 / 3))
    mean, low, high, confidence = intervals.interval(scores - 0.75, 1 / 3)
    error = intervals.corrected_error(scores, 1 / 3)
    assert (mean, high - low) == (pytest.approx(0.05), pytest.approx(2 * 3.182446 * error))
    assert confidence == pytest.approx(stats.t.cdf(0.05 / error, 3))


def test_without_variation_there_is_no_interval() -> None:
    assert intervals.interval(np.array([0.1, 0.1, 0.1]), 0.25) == (pytest.approx(0.1),) * 3 + (1.0,)
    assert intervals.interval(np.zeros(3), 0.25) == (0, 0, 0, 0)
    mean, low, high, confidence = intervals.interval(np.array([0.3]), 0.25)
    assert mean == low == high == 0.3 and np.isnan(confidence)


def test_the_corrected_interval_covers_what_the_naive_one_misses() -> None:
    """Scores of overlapping training parts share half of their noise: the truth is 0."""
    random = np.random.default_rng(0)
    ratio, covered, naive = 0.25, 0, 0
    for _ in range(400):
        # correlation ratio / (1 + ratio), as Nadeau and Bengio assume it
        shared = random.normal() * np.sqrt(ratio / (1 + ratio))
        scores = shared + random.normal(size=10) * np.sqrt(1 / (1 + ratio))
        _, low, high, _ = intervals.interval(scores, ratio)
        covered += low <= 0 <= high
        _, low, high, _ = intervals.interval(scores, 0)
        naive += low <= 0 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)
    assert naive / 400 < 0.85


def test_the_bootstrap_draws_the_same_rows_for_all_and_covers_the_truth() -> None:
    random = np.random.default_rng(0)
    outcome = np.r_[np.zeros(150, dtype=int), np.ones(50, dtype=int)]
    answer = outcome + random.normal(size=200)
    boot = intervals.bootstrap(outcome, {"a": answer, "b": answer, "c": -answer}, metrics.score("roc_auc"), 0)
    assert (boot["a"] == boot["b"]).all() and np.allclose(boot["a"] + boot["c"], 1)
    low, high = np.quantile(boot["a"], [0.025, 0.975])
    assert low < stats.norm.cdf(1 / np.sqrt(2)) < high
    again = intervals.bootstrap(outcome, {"a": answer}, metrics.score("roc_auc"), 0)
    assert (again["a"] == boot["a"]).all()


def test_the_bootstrap_draws_whole_groups_and_knows_that_they_say_less() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    answer = np.repeat(random.normal(size=40), 10)
    outcome = answer + np.repeat(random.normal(size=40), 10)  # all rows of a group err alike
    score = metrics.score("mae")
    strangers = intervals.bootstrap(outcome, {"a": answer}, score, 0)["a"]
    together = intervals.bootstrap(outcome, {"a": answer}, score, 0, groups)["a"]
    assert together.std() > 2 * strangers.std(), "ten rows of one group are about one independent row"


def test_the_bootstrap_never_scores_one_class_only() -> None:
    outcome = np.array([0, 0, 0, 1])
    boot = intervals.bootstrap(outcome, {"a": np.array([0.1, 0.2, 0.3, 0.4])}, metrics.score("roc_auc"), 0)
    assert (boot["a"] == 1).all()
    one_class = intervals.bootstrap(np.zeros(5), {"a": np.zeros(5)}, metrics.score("mae"), 0)
    assert (one_class["a"] == 0).all()


def rung(name: str, scores: list[float], learns: bool = True) -> ladder.Rung:
    mean = float(np.mean(scores))
    return ladder.Rung(name, name.title(), learns, mean, mean, mean, tuple(scores), mean, mean, mean)


@pytest.mark.parametrize(
    ("simple", "complex_", "chosen_one"),
    [
        ([0.80, 0.70, 0.90], [0.81, 0.69, 0.92], "simple"),  # better by less than its error
        ([0.80, 0.70, 0.90], [0.85, 0.75, 0.95], "complex"),  # small, and the same every time
        ([0.80, 0.70, 0.90], [0.95, 0.80, 0.99], "complex"),
        ([0.90, 0.90, 0.90], [0.80, 0.80, 0.80], "simple"),
        ([0.80, 0.80, 0.80], [0.80, 0.80, 0.80], "simple"),
    ],
)
def test_the_simplest_within_one_standard_error_of_the_best_is_chosen(
    simple: list[float], complex_: list[float], chosen_one: str
) -> None:
    assert ladder.choose([rung("simple", simple), rung("complex", complex_)], 0.25).name == chosen_one


def test_the_test_part_has_no_say_in_the_choice(generate: Any, quick: None) -> None:
    charter, data = generate("binary", 400)
    split = splits.split(charter, data, 0)
    first = ladder.climb(charter, data, split, folds=3, repeats=1).ladder
    turned = data.outcome.copy()
    turned[split.test] = 1 - turned[split.test]
    second = ladder.climb(charter, dataclasses.replace(data, outcome=turned), split, folds=3, repeats=1).ladder
    assert (first.chosen, first.confidence, first.gain) == (second.chosen, second.confidence, second.gain)
    assert [rung.scores for rung in first.rungs] == [rung.scores for rung in second.rungs]
    assert second.optimism > 3


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_answers_are_of_cases_not_learnt_from(generate: Any, quick: None, problem: str) -> None:
    charter, data = generate(problem, 300)
    split = splits.split(charter, data, 0)
    found = ladder.climb(charter, data, split, folds=3, repeats=2, budget=0)
    answers = found.answers
    assert (answers.known == data.outcome[split.train]).all() and (answers.test_known == data.outcome[split.test]).all()
    width = (3,) if problem == "multiclass" else ()
    for name in ("constant", "linear", "additive", "boosting"):
        assert answers.out_of_fold[name].shape == (len(split.train), *width)
        assert answers.test[name].shape == (len(split.test), *width)
        assert np.isfinite(answers.out_of_fold[name]).all()
    # the same as fitting by hand on the first parts
    learn, validate = splits.folds(charter, data, split.train, 3, 2, 0)[0]
    said = models.answer(models.fit(models.linear(data), data, learn), data.inputs.iloc[validate])
    place = np.searchsorted(split.train, validate)
    assert np.allclose(answers.out_of_fold["linear"][place], said)
    score = ladder.scorer(charter, data, found.ladder.metric)
    assert found.ladder.rung("linear").test == pytest.approx(score(answers.test_known, answers.test["linear"]))
    assert [cost.name for cost in found.costs] == [rung.name for rung in found.ladder.rungs]
    assert all((cost.latency_ms > 0) == (cost.name in found.fitted) for cost in found.costs)


def test_many_cases_are_compared_in_part_and_all_learnt_from(
    generate: Any, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter, data = generate("binary", 400)
    split = splits.split(charter, data, 0)
    monkeypatch.setattr(ladder, "MOST_COMPARED", 200)
    found = ladder.climb(charter, data, split, folds=4, repeats=2, budget=0)
    told = np.isfinite(found.answers.out_of_fold["linear"])
    assert told.sum() == 200 and len(found.ladder.rung("linear").scores) == 4
    assert (split.train[told] == ladder.compared(data, split.train, 0)).all()
    assert "Compared on 200 of 320 training cases" in telling.sentence(found.ladder)
    everything = models.fit(models.linear(data), data, split.train)
    assert np.allclose(found.answers.test["linear"], models.answer(everything, data.inputs.iloc[split.test]))
    best = next(one for one in found.candidates if one.name == found.ladder.best)
    score = ladder.scorer(charter, data, found.ladder.metric)
    assert reach.reachable(charter, data, split.train, found.ladder, best, score, folds=4).sizes[-1] == 150
    rare = dataclasses.replace(data, outcome=(np.arange(400) % 40 == 0).astype(int))
    assert ladder.compared(rare, split.train, 0) is split.train, "a part would hold too few of the rare class"
    order = np.array([5, 3, 9, 1])
    assert splits.some(order, 4, 0) is order and list(splits.some(order, 2, 0)) in [
        [a, b] for i, a in enumerate(order) for b in order[i + 1 :]
    ]


def test_folds_by_time_leave_the_earliest_cases_unanswered(generate: Any, charter_of: Any, quick: None) -> None:
    _, data = generate("binary", 300)
    charter = charter_of(prediction={"time_column": "when"})
    data = dataclasses.replace(data, raw=data.raw.assign(when=pd.date_range("2025-01-01", periods=300)))
    held_out = climbed(charter, data).answers.out_of_fold["linear"]
    assert np.isnan(held_out[:120]).all() and np.isfinite(held_out[120:]).all()


def test_a_time_column_that_tells_nothing_does_not_change_the_choice(charter_of: Any) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(600, 3)), columns=list("abc"))
    frame["when"] = pd.date_range("2020-01-01", periods=600)
    margin = 1.2 * np.sign(frame["a"] * frame["b"]) + 0.5 * frame["c"]
    frame["y"] = np.where(random.random(600) < 1 / (1 + np.exp(-margin)), "yes", "no")
    found = [
        climb(charter_of(prediction={"time_column": name}), dataset.dataset(charter_of(), frame), budget=0)
        for name in (None, "when")
    ]
    assert [one.chosen for one in found] == ["boosting", "boosting"]
    assert abs(found[0].rung("boosting").mean - found[1].rung("boosting").mean) < 0.05


def test_what_is_additive_is_seen_by_the_additive_model_and_no_interplay_is(generate: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=900), "b": random.normal(size=900)})
    curved = np.abs(frame["a"]) + np.abs(frame["b"]) + random.normal(0, 0.1, 900)
    charter, data = generate("regression", 900)
    data = dataclasses.replace(dataset.dataset(charter, frame.assign(y=curved)))
    found = climb(charter, data)
    assert found.chosen == "additive" and found.rung("linear").mean < 0.3 < 0.85 < found.rung("additive").mean
    assert climb(*generate("xor", 600)).rung("additive").mean < 0.6


def test_tuning_finds_what_the_usual_settings_miss_and_keeps_to_its_budget(generate: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(600, 4)), columns=list("abcd"))
    frame["y"] = 3 * frame["a"] * (frame["b"] > 0.8) + random.normal(0, 0.1, 600)
    charter, _ = generate("regression", 50)
    data = dataset.dataset(charter, frame)
    found, seconds = tuning.tune(charter, data, np.arange(600), 12, 0)
    assert found.fits == 12 and found.loss < found.usual and seconds > 0
    assert set(found.settings) == {*tuning.CHOICES, "max_iter"}
    assert tuning.tune(charter, data, np.arange(600), 12, 0)[0] == found
    nothing, seconds = tuning.tune(charter, data, np.arange(600), 5, 0)  # compared as text: NaN equals nothing
    assert repr(nothing) == repr(tuning.Tuning({})) and seconds == 0
    assert tuning.tune(charter, data, np.arange(3), 12, 0)[0].fits == 0


def test_tuning_sees_nothing_of_the_test_part(generate: Any) -> None:
    charter, data = generate("binary", 400)
    split = splits.split(charter, data, 0)
    turned = data.outcome.copy()
    turned[split.test] = 1 - turned[split.test]
    first, second = (
        tuning.tune(charter, dataclasses.replace(data, outcome=outcome), split.train, 6, 0)[0]
        for outcome in (data.outcome, turned)
    )
    assert first == second and first.fits == 6


def test_a_constant_is_as_good_as_guessing(generate: Any, quick: None) -> None:
    charter, data = generate("binary", 200)
    constant = climb(charter, data).rung("constant")
    assert set(constant.scores) == {0.5} and constant.test == constant.test_low == constant.test_high == 0.5


def test_too_few_cases_are_a_kind_error_and_no_traceback(charter_of: Any) -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 12) ** 2, "y": ["a"] * 2 + ["b"] * 10})
    data = dataset.dataset(charter_of(), frame)
    with pytest.raises(UserError, match="too few cases"):
        climb(charter_of(), data)


def test_the_tables_sentences_and_the_picture_say_what_was_found(generate: Any, quick: None) -> None:
    charter, data = generate("binary", 400, prediction={"required_score": 0.7})
    found = climb(charter, data)
    table = telling.scores_table(found)
    assert table["candidate"].tolist()[1] == "Linear model (chosen)" and len(table) == 4
    assert telling.sentence(found).startswith("Linear model: ROC AUC 0.")
    evidence = telling.required(charter, found)
    share, message = evidence.value, evidence.message
    assert share == found.reached and message.startswith("0.7 is needed; the held-back part shows 0.")
    assert telling.required(generate("binary", 100)[0], found).value is None
    assert "standard errors" in telling.generalization_gap(found).message
    assert isinstance(telling.chart(charter, found), Figure)
    assert telling.known_limit(charter, "roc_auc") is None
    better = dataclasses.replace(
        found,
        best="boosting",
        rungs=tuple(dataclasses.replace(r, mean=r.mean + (r.name == "boosting")) for r in found.rungs),
    )
    assert "no more than one standard error better" in telling.sentence(better)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("kind", ["linear", "additive", "boosting"])
def test_every_model_survives_being_saved_without_untrusted_types(
    generate: Any, quick: None, problem: str, kind: str
) -> None:
    import skops.io

    _, data = generate(problem, 200)
    made = models.linear(data) if kind == "linear" else getattr(models, kind)(data, 0)
    model = models.fit(made, data, np.arange(200))
    content = skops.io.dumps(model)
    again = skops.io.loads(content, trusted=chosen.trusted(content))
    assert (models.predict(again, data.inputs) == models.predict(model, data.inputs)).all()


@pytest.mark.parametrize(
    ("worth", "threshold"),
    [
        ((110, -15, 0, 0), 15 / 125),  # acting loses 15 on a negative, gains 110 on a positive
        ((1, -1, -1, 1), 0.5),
        ((100, -1, -100, 0), 1 / 201),
        ((0, -5, 0, 0), 1.0),  # acting never pays
        ((10, 5, 0, 0), 0.0),  # acting always pays
        ((0, 0, 0, 0), 0.0),
        ((-1, -1, 0, 0), 1.0),  # acting always costs
    ],
)
def test_the_line_is_where_acting_and_not_acting_are_worth_the_same(worth: tuple[float, ...], threshold: float) -> None:
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    money = PerCase(**dict(zip(names, worth, strict=True)))
    found = value.cost_optimal_threshold(money)
    assert found == pytest.approx(threshold)
    if 0 < found < 1:
        acting = found * money.true_positive + (1 - found) * money.false_positive
        leaving = found * money.false_negative + (1 - found) * money.true_negative
        assert acting == pytest.approx(leaving)


def test_no_policy_is_worth_more_than_the_optimal_line() -> None:
    random = np.random.default_rng(0)
    probability = random.beta(1, 4, 20_000)
    outcome = random.random(20_000) < probability

    def worth(line: float) -> float:
        act = probability >= line
        return float((110 * (act & outcome) - 15 * (act & ~outcome)).sum())

    best = value.cost_optimal_threshold(
        PerCase(true_positive=110, false_positive=-15, false_negative=0, true_negative=0)
    )
    assert max(worth(line) for line in np.linspace(0, 1, 101)) < 1.01 * worth(best)


def test_the_line_is_explained_whether_or_not_there_is_money(charter_of: Any) -> None:
    assert value.cost_optimal_threshold(None) == 0.5
    assert "at 50 %" in value.threshold_sentence(charter_of(), value.Policy("binary"))
    assert "no line to draw" in value.threshold_sentence(charter_of(), value.Policy("regression"))
    worth = {"true_positive": 110, "false_positive": -15, "false_negative": 0, "true_negative": 0}
    charter = charter_of(business={"value": {"per_case": worth}})
    assert "probability of 12% on." in value.threshold_sentence(charter, value.Policy("binary", line=0.12))
    assert "a line at 30% earned clearly more" in value.threshold_sentence(charter, value.Policy("binary", line=0.3))
    assert "earned" not in value.threshold_sentence(charter, value.Policy("binary", line=np.inf))
    charter = charter_of(
        business={"value": {"cost_per_unit_under": 3, "cost_per_unit_over": 1}},
        prediction={"problem_type": "regression"},
    )
    said = value.threshold_sentence(charter, value.Policy("regression", shift=2.5))
    assert "used with +2.5" in said and "75% of the outcomes lie below" in said
    assert "costs least" in value.threshold_sentence(
        charter, value.Policy("multiclass", costs=((0.0, 1.0), (1.0, 0.0)))
    )


@pytest.mark.parametrize(
    ("answer", "stated", "said"),
    [
        (Answer(), None, "open question"),
        (Answer(answer="yes"), 1, "measure, current, target"),
        (Answer(answer="yes", measure="m", current=0.0), 3, "target"),
        (Answer(answer="yes", measure="m", current=1, target=2), 4, "m: from 1 to 2."),
        (Answer(answer="yes", measure="m", current=2, target=2), 0, "nothing would be gained"),
    ],
)
def test_a_promise_counts_by_what_is_stated(answer: Answer, stated: int | None, said: str) -> None:
    evidence = business.completeness(answer)
    value_, message = evidence.value, evidence.message
    assert value_ == stated and said in message


def test_the_promises_show_what_is_open(charter_of: Any) -> None:
    shown = business.promises(charter_of(business={"customer_experience": "Happier."}))
    assert shown["answer"].tolist() == ["Happier.", "open", "open"]
    assert shown[""].tolist() == ["B1", "B2", "B3"]


def laddered(*scores: float, chosen: str, best: str) -> ladder.Ladder:
    """Make a ladder of a constant and so many models, whose scores on the parts differ a little."""
    wobble = np.array([[0, 0, 0], [1, -1, 0], [0, 1, -1], [-1, 0, 1]]) / 1_000
    names = ["constant", "linear", "additive", "boosting"][: len(scores)]
    rungs = tuple(
        ladder.Rung(name, name, name != "constant", mean, mean, mean, tuple(mean + parts), mean, mean, mean)
        for name, mean, parts in zip(names, scores, wobble, strict=False)
    )
    return ladder.Ladder("roc_auc", rungs, chosen, best, "constant", 0.2, 0.1, 0.3, 1.0, 0.0, None)


@pytest.mark.parametrize(
    ("scores", "chosen", "best", "said"),
    [
        ((0.5, 0.7), "linear", "linear", "linear is the most complex model that was tried."),
        ((0.5, 0.7, 0.71), "additive", "additive", "It scores +0.010 (+0.004 to +0.016) against 'linear'."),
        ((0.5, 0.7, 0.69, 0.68), "linear", "linear", "no better: additive scores −0.010 (−0.016 to −0.004)"),
        ((0.5, 0.7, 0.69, 0.701), "linear", "boosting", "boosting scores +0.001 (−0.005 to +0.007) against"),
    ],
)  # fmt: skip
def test_what_more_complexity_brings_is_said_of_what_was_tried(scores: Any, chosen: str, best: str, said: str) -> None:
    text = telling.complexity_sentence(laddered(*scores, chosen=chosen, best=best), Returns("EUR", "binary"), None)
    assert said in text and "not on offer" not in text
