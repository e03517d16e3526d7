"""Models of the project's own: exported, bundled, asked and scored with the rows they were trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from lab2live.data import models, splits
from lab2live.data.sources.reading import Readings
from lab2live.errors import UserError
from lab2live.explainability import explainer
from lab2live.handoff import answering, bundle, contract, drill, export, form
from lab2live.handoff.deciding import Deciding
from lab2live.poc.comparison.chosen import Chosen
from lab2live.poc.worth import value
from tests.service.conftest import Made, plain

Write = Callable[[str, Any], tuple[bundle.Bundle, Any, str]]


def encoded(last: Any) -> Any:
    """Give a pipeline as somebody would write it in models.py: it picks its columns by their types."""
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none", missing_values=None),
        OneHotEncoder(handle_unknown="ignore", max_categories=20),
    )
    numbers = SimpleImputer(strategy="median")
    text, number = make_column_selector(dtype_include=["object"]), make_column_selector(dtype_include=["number"])
    return make_pipeline(make_column_transformer((texts, text), (numbers, number)), last)


def estimator(kind: str) -> Any:
    trees = ExtraTreesClassifier(30, min_samples_leaf=5, random_state=0)
    if kind == "extra trees":
        return encoded(trees)
    if kind == "stack":
        return encoded(StackingClassifier([("linear", LogisticRegression(max_iter=2000)), ("trees", trees)], cv=3))
    return encoded(pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1))


class OnlyNumbers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator of the project's own code that looks at what types it gets."""

    def fit(self, frame: pd.DataFrame, known: Any) -> OnlyNumbers:
        self.classes_, self.types_ = np.unique(known), {name: str(kind) for name, kind in frame.dtypes.items()}
        return self

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == self.types_
        likely = 1 / (1 + np.exp(-(frame["bill"].fillna(0.0) - 60) / 10)).to_numpy()
        return np.stack([1 - likely, likely], axis=1)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.predict_proba(frame).argmax(axis=1)


@pytest.fixture
def made(bundled: Callable[..., Made]) -> Made:
    return bundled("binary")


def fitted(made: Made, model: Any) -> Any:
    return models.fit(models.own(made.charter, made.data, model), made.data, np.arange(400))


def written(made: Made, model: Any, folder: Path, named: tuple[str, ...] = ()) -> tuple[bundle.Bundle, str]:
    """Write a bundle in which another model answers than the one that explains."""
    kept = bundle.load(made.folder)
    kind, content, _ = export.export(model, made.data, 0.3, rows=300)
    more = {name: kept.contents[name] for name in (bundle.EXPLAINER, bundle.FORM)}
    more[bundle.EXPLAINED_MODEL] = export.to_skops(model)
    code = bundle.code_of(made.charter)
    bundle.write(folder, kind, content, kept.contract, code, "# card\n", more, trusted=named)
    return bundle.load(folder), kind


@pytest.mark.parametrize("kind", ["extra trees", "stack", "lightgbm"])
def test_an_own_model_answers_everywhere_as_it_was_tested(made: Made, kind: str, tmp_path: Path) -> None:
    model = fitted(made, estimator(kind))
    loaded, _ = written(made, model, tmp_path / "bundle")
    rows = made.table.iloc[400:]
    tested = models.predict(model, made.data.raw.iloc[400:])
    assert np.abs(loaded.predict(rows) - tested).max() < export.TOLERANCE
    assert np.abs(bundle.ask_in_fresh_process(tmp_path / "bundle", rows) - tested).max() < export.TOLERANCE
    decides = Deciding.of(loaded)
    batch = decides.decide(rows)
    answered = batch["score"].notna().to_numpy()
    assert answered.mean() > 0.9 and not (batch["reason"] == "model_error").any()
    assert np.abs(batch["score"].to_numpy() - tested)[answered].max() < export.TOLERANCE
    cases = json.loads(json.dumps(drill.real_cases(loaded.form(), rows)))
    notes = rows["note"].tolist()  # nobody is asked for it, but this model looks at it
    cases = [{**case, "note": note} for case, note in zip(cases, notes, strict=True)]
    alone = [decides.about({name: [value] for name, value in case.items()}, 1).score[0] for case in cases[:40]]
    assert np.nanmax(np.abs(np.array(alone) - tested[:40])) < export.TOLERANCE


def test_an_own_model_is_explained_from_its_bundle_and_survives_faults_in_a_service(made: Made, tmp_path: Path) -> None:
    data, train = made.data, np.arange(400)
    split = replace(splits.split(made.charter, data, 0), train=train, test=np.arange(400, len(data.outcome)))
    model = fitted(made, estimator("lightgbm"))
    told = models.answer(model, data.raw.iloc[train])
    policy = value.learn_policy(made.charter, data.problem, data.outcome[train], told)
    outcome = np.array(data.classes, dtype=object)[data.outcome]
    table = made.table.assign(**{made.charter.prediction.target: outcome})
    learnt = explainer.learn(made.charter, table, data, split, Chosen("own", model, told, policy, True), 0)
    described = form.describe(made.charter, made.table, train, told, learnt)
    kind, content, _ = export.export(model, data, policy.threshold, rows=300)
    agreed = contract.describe(made.charter, data, split, policy)
    more, code = bundle.explaining(learnt, described, False, Readings(plain(made.table))), bundle.code_of(made.charter)
    bundle.write(tmp_path / "bundle", kind, content, agreed, code, "# card\n", more)
    rows, loaded = made.table.iloc[400:], bundle.load(tmp_path / "bundle")
    assert "lightgbm.basic.Booster" in loaded.trusted
    agreement = form.agreement(described, learnt, rows, models.answer(model, data.raw.iloc[400:]))
    assert agreement.value == 0, agreement.message
    said = answering.Answering(loaded, loaded.explainer(), loaded.form()).explain(described["cases"][0]["values"])
    assert said["reasons"]
    failed = drill.failed(drill.exercise(tmp_path / "bundle", rows))
    assert failed.value == 0, failed.message


def test_an_own_model_leaves_as_onnx_where_that_decides_alike_and_else_as_skops(made: Made, tmp_path: Path) -> None:
    numbers = make_pipeline(
        make_column_transformer((SimpleImputer(), ["bill", "lines", "age"])), LogisticRegression(max_iter=2000)
    )
    model = fitted(made, numbers)
    kind, content, parity = export.export(model, made.data, 0.3, rows=500)
    assert (kind, parity.exact) == ("onnx", True), parity
    assert export.load_onnx(content, made.data.columns).own
    months = FunctionTransformer(np.isnat)  # a moment has no form in ONNX
    timed = make_pipeline(make_column_transformer((months, ["since"])), LogisticRegression())
    kind, _, parity = export.export(fitted(made, timed), made.data, 0.3, rows=500)
    assert kind == "skops" and parity.problem
    kind, _, parity = export.export(fitted(made, estimator("lightgbm")), made.data, 0.3, rows=500)
    assert kind == "skops" and parity.problem


def test_types_are_the_same_for_one_row_of_json_and_for_the_training_set(made: Made, tmp_path: Path) -> None:
    name = f"{OnlyNumbers.__module__}.OnlyNumbers"
    model = fitted(made, OnlyNumbers())
    loaded, kind = written(made, model, tmp_path / "bundle", (name,))
    assert kind == "skops"
    case = drill.real_cases(loaded.form(), made.table.iloc[[450]])[0]
    found = Deciding.of(loaded).about({field: [value] for field, value in case.items()}, 1)
    assert found.reason[0] != "model_error"
    assert found.score[0] == pytest.approx(models.predict(model, made.data.raw.iloc[[450]])[0])


def test_a_column_that_nobody_is_asked_for_is_named_where_the_own_model_looks_at_it(made: Made) -> None:
    for columns, named in ((["bill", "age"], False), (["bill", "note"], True)):
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
        model = fitted(made, make_pipeline(make_column_transformer((codes, columns)), LogisticRegression()))
        rows = made.table.iloc[400:]
        tested = models.predict(model, made.data.raw.iloc[400:])
        answer = form.agreement(made.form, replace(made.explainer, model=model), rows, tested)
        assert bool(answer.value) is named and ("note" in answer.message) is named, answer.message


def test_only_types_that_are_named_are_loaded(made: Made, tmp_path: Path) -> None:
    name = f"{OnlyNumbers.__module__}.OnlyNumbers"
    model = fitted(made, OnlyNumbers())
    with pytest.raises(UserError, match="trusted_types"):
        written(made, model, tmp_path / "bundle")
    loaded, _ = written(made, model, tmp_path / "bundle", (name,))
    manifest = tmp_path / "bundle" / bundle.MANIFEST
    content = json.loads(manifest.read_text(encoding="utf-8"))
    assert name in content["trusted_types"] and set(loaded.trusted) == set(content["trusted_types"])
    content["trusted_types"].remove(name)
    manifest.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        bundle.load(tmp_path / "bundle")
    del content["trusted_types"]
    manifest.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match="trusted_types"):
        bundle.load(tmp_path / "bundle")


def test_types_of_the_package_that_no_bundle_can_import_are_refused(made: Made, tmp_path: Path) -> None:
    code = tmp_path / OnlyNumbers.__module__.partition(".")[0]
    code.mkdir()
    content, name = export.to_skops(fitted(made, OnlyNumbers())), f"{OnlyNumbers.__module__}.OnlyNumbers"
    with pytest.raises(UserError, match="no bundle can import") as caught:
        bundle.write(tmp_path / "b", "skops", content, {}, code, "# card\n", trusted=(name,))
    assert name in caught.value.details["found"]
