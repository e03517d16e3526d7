"""Candidates of the project's own models.py: compared, chosen, saved and explained as the built-in ones are."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import precision_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from lab2live.charter import metrics
from lab2live.data import dataset, models, splits
from lab2live.data.originals import Originals
from lab2live.errors import UserError
from lab2live.explainability import explainer
from lab2live.explainability.why import reasons, sanity
from lab2live.pipeline import context, hooks
from lab2live.poc import measures, predictions, workspace
from lab2live.poc.comparison import chosen, ladder, telling
from lab2live.poc.worth.value import Policy, learn_policy

# Rows that the models learn from in tests about explanations; the others are explained.
LEARNT = np.arange(300)


def encoder(numbers: Any = "passthrough") -> Any:
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["colour"]), (numbers, ["x1", "x2", "x3"]))


def filled() -> Any:
    return encoder(make_pipeline(SimpleImputer(), StandardScaler()))


def lgbm(kind: str) -> Any:
    make = LGBMRegressor if kind == "regression" else LGBMClassifier
    return make_pipeline(encoder(), make(n_estimators=20, verbose=-1, n_jobs=1))


def trees(kind: str) -> Any:
    make = ExtraTreesRegressor if kind == "regression" else ExtraTreesClassifier
    return make_pipeline(encoder(), make(15, min_samples_leaf=5, random_state=0))


def linear(kind: str) -> Any:
    return make_pipeline(filled(), Ridge() if kind == "regression" else LogisticRegression())


def stack(kind: str) -> Any:
    parts = [("trees", trees(kind)), ("linear", linear(kind))]
    if kind == "regression":
        return StackingRegressor(parts, Ridge(), cv=2)
    return StackingClassifier(parts, LogisticRegression(), cv=2)


def climbed(
    monkeypatch: pytest.MonkeyPatch, charter: Any, data: Any, candidates: Any, split: Any = None
) -> ladder.Climb:
    monkeypatch.setattr(hooks, "candidates", lambda *_: candidates)
    monkeypatch.setattr(models, "additive", lambda data, seed: models.linear(data))
    monkeypatch.setattr(models, "boosting", lambda data, *_: models.linear(data))
    split = split or splits.split(charter, data, 0)
    return ladder.climb(charter, data, split, folds=3, repeats=1, budget=0)


def with_text(generate: Any, **blocks: Any) -> tuple[Any, Any]:
    """Only a free text knows the target: built-in models leave it out, as almost every value is different."""
    charter, data = generate("noise", 500, **blocks)
    random = np.random.default_rng(1)
    told = ["late bill, will cancel" if one else "asked about the price" for one in data.outcome]
    table = data.raw.assign(
        note=[f"{text} {number}" for number, text in enumerate(told)],
        day=pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, 500), "D"),
        count=random.integers(0, 9, 500),
        known=random.random(500) < 0.5,
        y=np.array(data.classes)[data.outcome],
    )
    return charter, dataset.dataset(charter, table)


def by_text() -> Any:
    return make_pipeline(make_column_transformer((TfidfVectorizer(max_features=20), "note")), LogisticRegression())


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_own_candidates_are_compared_on_the_same_folds_and_stand_in_every_table(
    generate: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    charter, data = generate(kind, 300)
    found = climbed(monkeypatch, charter, data, {"lgbm": lgbm(kind), "trees": trees(kind), "stack": stack(kind)})
    assert found.problems == ()
    assert [rung.name for rung in found.ladder.rungs][-3:] == ["lgbm", "trees", "stack"]
    assert {len(rung.scores) for rung in found.ladder.rungs} == {3}
    for shown in (telling.scores_table(found.ladder), telling.costs_table(found)):
        assert {"lgbm", "trees", "stack"} <= {name.removesuffix(" (chosen)") for name in shown["candidate"]}
    for name in ("lgbm", "trees", "stack"):
        assert found.ladder.rung(name).learns and found.ladder.rung(name).mean > found.ladder.rung("constant").mean
        assert found.answers.test[name].shape == found.answers.test["linear"].shape
        assert np.isfinite(found.answers.out_of_fold[name]).all()


def test_one_that_wins_is_chosen_saved_and_loaded(
    generate: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    charter, data = with_text(generate)
    split = splits.split(charter, data, 0)
    found = climbed(monkeypatch, charter, data, {"by_text": by_text()}, split)
    assert found.ladder.chosen == "by_text" and found.ladder.rung("by_text").mean > 0.95
    (tmp_path / "project.yaml").write_text(
        "project: {name: Tiny}\nprediction: {problem_type: classification, target: y}\n"
        "sources: [{name: table, uri: table.csv}]\n"
    )
    (tmp_path / "table.csv").write_text("y\n1\n")
    run = context.begin("poc", str(tmp_path))
    chosen.save(run, found)
    run.keep(ladder=found.ladder.as_dict())
    run.close()
    picked = chosen.fitted(context.begin("explainability", str(tmp_path)), data, split)
    assert picked.from_run and picked.name == "by_text" and models.is_own(picked.model)
    said = models.answer(picked.model, models.inputs_of(picked.model, data).iloc[split.test])
    assert np.array_equal(said, found.answers.test["by_text"])
    assert chosen.trained_again(picked, data, split).value == 0


class Raises(ClassifierMixin, BaseEstimator):
    """Fails, or predicts what it should not."""

    def __init__(self, how: str = "fit") -> None:
        self.how = how

    def fit(self, frame: Any, target: Any) -> Raises:
        if self.how == "fit":
            raise RuntimeError("no luck today")
        self.classes_ = np.unique(target) if self.how != "classes" else np.array([1, 0])
        return self

    def predict_proba(self, frame: Any) -> Any:
        if self.how == "shape":
            return np.full((3, 2), 0.5)
        return np.full((len(frame), 2), np.nan if self.how == "nan" else 0.5)

    def predict(self, frame: Any) -> Any:
        return np.zeros(len(frame))


class Renames(Raises):
    """Cannot be cloned: it does not keep its parameter as it was given."""

    def __init__(self, how: str = "fit") -> None:
        self.how = how.upper() + "!"


BROKEN: dict[str, tuple[Any, str]] = {
    "fails": (Raises("fit"), "no luck today"),
    "shape": (Raises("shape"), "predictions of shape (3,)"),
    "missing": (Raises("nan"), "are no number"),
    "other classes": (Raises("classes"), "classes_"),
    "unknown type": (Raises("fine"), "deployment.trusted_types"),
    "renames": (Renames(), "cannot be cloned"),
    "a class": (Raises, "no estimator"),
    "a word": ("a word", "no estimator"),
    "no probabilities": (make_pipeline(filled(), LinearSVC()), "predict_proba"),
    "no missing values": (make_pipeline(encoder(), LogisticRegression()), "NaN"),
    "linear": (linear("binary"), "the name of a built-in one"),
}


def test_one_that_cannot_be_used_is_left_out_with_one_message_and_the_rest_stands(
    generate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter, data = generate("binary", 200)
    given = {name: candidate for name, (candidate, _) in BROKEN.items()}
    found = climbed(monkeypatch, charter, data, {**given, "fine": linear("binary")})
    assert [rung.name for rung in found.ladder.rungs] == ["constant", "linear", "additive", "boosting", "fine"]
    said = {name: problem for problem in found.problems for name in BROKEN if f"`{name}` of models" in problem.problem}
    assert len(found.problems) == len(said) == len(BROKEN)
    for name, (_, why) in BROKEN.items():
        assert why in said[name].details["found"] and said[name].details["fix"]


def test_a_module_that_breaks_is_one_message(generate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    charter, data = generate("binary", 200)

    def breaks(*_: Any) -> Any:
        raise UserError("`candidates` of the project's own package failed.")

    monkeypatch.setattr(hooks, "candidates", breaks)
    found = ladder.climb(charter, data, splits.split(charter, data, 0), folds=2, repeats=1, budget=0)
    assert [problem.problem for problem in found.problems] == ["`candidates` of the project's own package failed."]


def test_only_known_types_and_those_that_the_charter_names_are_trusted(generate: Any, charter_of: Any) -> None:
    _, data = generate("binary", 200)
    charter = charter_of()
    model = models.fit(models.own(charter, data, lgbm("binary")), data, np.arange(200))
    known = chosen.trusted_types(skops.io.dumps(model), charter)
    assert all(re.match(r"sklearn|lightgbm|collections|lab2live\.data\.originals", name) for name in known)
    strange = skops.io.dumps(models.fit(models.own(charter, data, Raises("fine")), data, np.arange(200)))
    name = f"{Raises.__module__}.{Raises.__qualname__}"
    with pytest.raises(UserError) as refused:
        chosen.trusted_types(strange, charter)
    assert refused.value.details["found"] == name and "deployment.trusted_types" in refused.value.details["fix"]
    assert name in chosen.trusted_types(strange, charter_of(deployment={"trusted_types": [name]}))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("make", [lgbm, trees, linear])
def test_trees_and_linear_models_behind_an_encoding_are_explained_exactly(generate: Any, kind: str, make: Any) -> None:
    charter, data = generate(kind, 400)
    model = models.fit(models.own(charter, data, make(kind)), data, LEARNT)
    background = reasons.background(model, data.raw.iloc[LEARNT])
    found = reasons.explain(model, data.columns, data.raw.iloc[300:], background)
    assert found.how == "exact" and found.columns == ("x1", "x2", "x3", "colour")
    assert found.additivity_error < 1e-9 and found.points_error < 1e-9
    weights = found.points.abs().mean()
    assert weights["x1"] > weights["x2"] > weights["x3"]
    said = models.answer(model, data.raw.iloc[300:])
    assert np.allclose(found.answer, said.max(axis=1) if said.ndim == 2 else said)
    evidence = reasons.additivity(found)
    assert evidence.value is not None and evidence.value <= 1e-6 and "exact" in evidence.message


def several(kind: str) -> Any:
    return make_pipeline(filled(), PCA(2), LogisticRegression())


def native(kind: str) -> Any:
    """SHAP is silently wrong about native categories: what does not add up is not called exact."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    encode = make_column_transformer((codes, ["colour"]), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingClassifier(max_iter=30, categorical_features=[0]))


@pytest.mark.parametrize("make", [stack, several, native])
def test_whatever_cannot_be_taken_apart_is_sampled_and_says_so(generate: Any, make: Any) -> None:
    charter, data = generate("binary", 400)
    model = models.fit(models.own(charter, data, make("binary")), data, LEARNT)
    background = reasons.background(model, data.raw.iloc[LEARNT])
    found = reasons.explain(model, data.columns, data.raw.iloc[300:], background)
    assert found.how == "estimated by sampling" and found.sampling_error is not None
    assert found.points_error < 1e-9 and 0 < found.sampling_error < 0.1
    evidence = reasons.additivity(found)
    assert "estimated by sampling" in evidence.message and "standard error" in evidence.message
    again = reasons.explain(model, data.columns, data.raw.iloc[300:301], background)
    assert np.allclose(again.points, found.points.iloc[:1]), "a row is explained alike, alone and among others"


def test_sampled_contributions_are_what_exact_ones_are(generate: Any) -> None:
    charter, data = generate("regression", 400)
    whole = data.raw.assign(x1=data.raw["x1"].fillna(0))
    model = models.own(charter, data, linear("regression")).fit(whole.iloc[LEARNT], data.outcome[LEARNT])
    exact = reasons.background(model, whole.iloc[LEARNT])
    dealt = {name: whole[name].sample(40, random_state=0).tolist() for name in whole}
    sampled = reasons.Background((), 300, sample=dealt)
    right, found = (reasons.explain(model, data.columns, whole.iloc[300:], one) for one in (exact, sampled))
    off = right.points.to_numpy() - found.points.to_numpy()
    # both differ by what the background rows are beside their mean: the same for every row
    assert off.std(axis=0).max() < 1e-9 and found.how != right.how


def test_shadow_features_of_an_own_candidate_take_the_place_of_two_columns(generate: Any) -> None:
    charter, data = generate("binary", 500)
    model = models.fit(models.own(charter, data, lgbm("binary")), data, LEARNT)
    found = sanity.probes(data, model, LEARNT, np.arange(300, 500), 0)
    assert found.share is not None and set(found.ranking["chance"]) == {True, False}
    assert found.evidence.figure is not None and found.evidence.data["probe_share"] == found.share


@pytest.mark.parametrize("make", [lgbm, stack])
def test_all_questions_about_a_row_are_answered_and_travel_with_the_model(generate: Any, make: Any) -> None:
    charter, data = generate("binary", 400)
    split = splits.split(charter, data, 0)
    model = models.fit(models.own(charter, data, make("binary")), data, split.train)
    out_of_fold = models.answer(model, data.raw.iloc[split.train])
    policy = learn_policy(charter, "binary", data.outcome[split.train], out_of_fold)
    picked = chosen.Chosen("mine", model, out_of_fold, policy, True)
    table = data.raw.assign(y=np.array(data.classes)[data.outcome])
    asked = explainer.learn(charter, table, data, split, picked, 0)
    again = explainer.Explainer.from_dict(json.loads(json.dumps(asked.to_dict())), model, lambda frame: frame)
    row = data.raw.iloc[int(split.test[0])].to_dict()
    one, other = asked.explain(row), again.explain(row)
    assert one.answer == pytest.approx(models.answer(model, data.raw.iloc[split.test[:1]])[0])
    assert one.reasons == other.reasons and one.sure and one.flips.smallest is not None
    assert other.flips.smallest == one.flips.smallest or str(other.flips.smallest) == str(one.flips.smallest)
    assert set(asked.importance(data.raw.iloc[split.test])) == {"x1", "x2", "x3", "colour"}


def test_original_columns_have_the_same_form_in_a_table_alone_and_without_a_source(generate: Any) -> None:
    charter, data = with_text(generate, prediction={"id_column": "x3"})
    step = models.own(charter, data, by_text())[0]
    assert isinstance(step, Originals)
    whole = step.transform(data.raw)
    kinds = {name: column.dtype.kind for name, column in whole.items()}
    expected = {"x1": "f", "x2": "f", "colour": "O", "note": "O", "day": "M", "count": "i", "known": "b"}
    assert kinds == expected, "the id names a row, and is left out"
    alone = step.transform(pd.DataFrame([data.raw.iloc[7].to_dict()]))
    pd.testing.assert_frame_equal(alone, whole.iloc[[7]].reset_index(drop=True))
    nothing = step.transform(data.raw[["x2"]].head(2))
    assert list(nothing) == list(whole) and nothing["note"].tolist() == [None, None]
    assert nothing.drop(columns="x2").isna().all(axis=None)
    assert (nothing["known"].dtype.kind, nothing["count"].dtype.kind, nothing["day"].dtype.kind) == ("O", "f", "M")


@pytest.mark.parametrize("labels", [("no", "yes"), (1, 2), (False, True)])
def test_predictions_are_in_the_labels_of_the_target_and_honest_about_the_training_set(
    generate: Any, labels: tuple[Any, Any]
) -> None:
    charter, data = generate("binary", 120)
    target = pd.Series(np.array(labels)[data.outcome])
    table = data.raw.assign(y=target.astype(object).where(data.raw.index != 5))
    data = dataset.dataset(charter, table)
    split = splits.split(charter, data, 0)
    held_out = np.linspace(0, 1, len(split.train))
    held_out[0] = np.nan
    shown = predictions.predictions(
        charter, table, data, split, Policy("binary", 0.7), held_out, np.full(len(split.test), 0.2)
    )
    assert list(shown) == ["id", "score", "prediction", "split"] and len(shown) == 118
    assert 5 not in set(shown["id"]) and shown["id"].is_monotonic_increasing
    assert set(shown["prediction"]) == set(labels) and shown["prediction"].dtype == target.dtype
    positive = {name: value for value in labels for name in [str(value).lower()]}[data.classes[1]]
    assert ((shown["score"] >= 0.7) == (shown["prediction"] == positive)).all()
    assert (shown["split"] == "test").sum() == len(split.test)
    named = charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"id_column": "name"})})
    with_ids = table.assign(name=[f"n{number}" for number in range(len(table))])
    again = predictions.predictions(
        named, with_ids, data, split, Policy("binary", 0.7), held_out, np.full(len(split.test), 0.2)
    )
    assert again["id"].tolist() == [f"n{number}" for number in shown["id"]]


@pytest.mark.parametrize(("kind", "metric"), [("binary", "roc_auc"), ("regression", "r2")])
def test_what_runs_are_compared_by_gives_the_score_of_the_test_set(
    generate: Any, monkeypatch: pytest.MonkeyPatch, kind: str, metric: str
) -> None:
    charter, data = generate(kind, 400)
    found, split = climbed(monkeypatch, charter, data, {}), splits.split(charter, data, 0)
    table = data.raw.assign(y=np.array(data.classes)[data.outcome] if data.classes else data.outcome)
    held_out, test = found.answers.out_of_fold["linear"], found.answers.test["linear"]
    policy = Policy(data.problem, 0.5)
    told = predictions.predictions(charter, table, data, split, policy, held_out, test)
    scored = predictions.scored(told, split, found.answers, "linear")
    score = metrics.score(metric)(scored["outcome"].to_numpy(), scored["answer"].to_numpy())
    assert score == pytest.approx(found.ladder.rung("linear").test)
    assert scored["id"].tolist() == sorted(split.test)
    assert (data.outcome[scored["id"]] == scored["outcome"]).all()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_measures_are_those_of_the_test_set(generate: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    charter, data = generate(kind, 400, business={"value": {"cases_per_month": 1000}})
    found = climbed(monkeypatch, charter, data, {})
    policy = Policy(data.problem, 0.3)
    shown = measures.measures(charter, found.answers, "linear", policy, 0, 200)
    assert set(shown) == {"threshold", "recall", "precision", "contacts_per_month"}
    known, said = found.answers.test_known, found.answers.test["linear"]
    if kind == "regression":
        assert all(one["value"] is None for one in shown.values())
        return
    decided, average = (said >= 0.3, "binary") if kind == "binary" else (said.argmax(axis=1), "macro")
    assert shown["recall"]["value"] == pytest.approx(recall_score(known, decided, average=average))
    assert shown["precision"]["value"] == pytest.approx(precision_score(known, decided, average=average))
    for name in ("recall", "precision"):
        assert shown[name]["low"] < shown[name]["value"] < shown[name]["high"] and shown[name]["level"] == 0.9
    if kind == "binary":
        assert shown["threshold"]["value"] == 0.3
        assert shown["contacts_per_month"]["value"] == pytest.approx(1000 * decided.mean())
    else:
        assert shown["threshold"]["value"] is None and shown["contacts_per_month"]["value"] is None


def test_an_own_notebook_starts_from_plain_objects(
    generate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = generate("binary", 300)
    climb = partial(ladder.climb, folds=2, repeats=1, budget=0)
    monkeypatch.setattr(ladder, "climb", climb)
    frame = data.raw.assign(y=np.array(data.classes)[data.outcome])
    frame.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "project.yaml").write_text(
        "project: {name: Tiny}\nprediction: {problem_type: classification, target: y, positive_class: 'yes'}\n"
        "sources: [{name: table, uri: table.csv}]\n"
    )
    run = context.begin("own", str(tmp_path))
    df, X_train, X_test, y_train, y_test, model, predicted = workspace.load(run)
    assert len(df) == len(X_train) + len(X_test) == 300 and {"y", "x1", "colour"} <= set(df)
    assert X_train.index.equals(y_train.index) and X_test.index.equals(y_test.index)
    assert (df.loc[y_test.index, "y"].map({"no": 0, "yes": 1}) == y_test).all()
    test = predicted[predicted["split"] == "test"].set_index("id")
    assert np.allclose(test.loc[X_test.index, "score"], model.predict_proba(X_test)[:, 1])
