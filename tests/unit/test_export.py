"""The export: it decides exactly like the tested model, or another format is taken, and still does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skl2onnx
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from lab2live.data import dataset, models, splits
from lab2live.data.encoding import LARGEST, MISSING, OTHER
from lab2live.handoff import bundle, contract, export
from lab2live.poc.comparison import chosen
from lab2live.poc.worth.value import Policy

PROBLEMS = ("binary", "multiclass", "regression")


def fitted(kind: str, data: Any) -> Any:
    model = models.linear(data) if kind == "linear" else getattr(models, kind)(data, 0)
    if kind != "linear":
        model[-1].set_params(**({"estimator__max_iter": 30} if hasattr(model[-1], "cv") else {"max_iter": 30}))
    return models.fit(model, data, np.arange(len(data.outcome)))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", ["linear", "additive", "boosting"])
def test_a_model_leaves_as_onnx_with_the_same_answers(generate: Any, problem: str, kind: str) -> None:
    _, data = generate(problem, 300)
    model = fitted(kind, data)
    name, content, parity = export.export(model, data, 0.3, rows=2000)
    probes = export.probe_rows(data, 2000, seed=7)
    loaded = (
        export.load_onnx(content, data.columns)
        if name == "onnx"
        else export.load_skops(content, chosen.trusted(content))
    ).predict(probes)
    assert (name, parity.exact, parity.problem) == ("onnx", True, "")
    assert parity.rows > 2000
    again = export.compare(models.predict(model, probes), loaded, data, 0.3)
    assert again.disagreeing == 0
    assert content == export.export(model, data, 0.3, rows=200)[1], "the same bytes every time"


def test_columns_may_be_called_anything(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    names = ["with space", "größe 'x' \"y\"", "x0", "x1", "a" * 500, "<b>", "日本"]
    frame = pd.DataFrame({name: random.normal(size=200) for name in names})
    frame["x2"] = random.choice(["ja", "né\n", "<i>"], 200)
    frame["y"] = (frame["x0"] - frame["x1"] + random.normal(size=200) > 0).astype(int)
    data = dataset.dataset(charter_of(), frame)
    name, _, parity = export.export(fitted("linear", data), data, 0.5, rows=1000)
    assert (name, parity.problem) == ("onnx", "") and parity.exact


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_model_that_onnx_holds_wrongly_leaves_as_skops_and_is_right(
    generate: Any, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = generate(problem, 200)
    model = fitted("linear", data)
    other = dataclasses.replace(data, outcome=np.roll(data.outcome, 1))
    wrong = export.to_onnx(fitted("linear", other), data.columns)
    monkeypatch.setattr(export, "to_onnx", lambda *_: wrong)
    name, content, parity = export.export(model, data, 0.5, rows=500)
    assert name == "skops" and parity.disagreeing > 100 and not parity.exact and not parity.problem
    answers = export.load_skops(content, chosen.trusted(content)).predict(data.inputs)
    assert (answers == models.predict(model, data.inputs)).all()
    assert "would differ on" in export.evidence(name, parity).message


@pytest.mark.parametrize("content", [b"", b"this is no model"])
def test_a_broken_onnx_file_leaves_as_skops(generate: Any, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = generate("binary", 100)
    monkeypatch.setattr(export, "to_onnx", lambda *_: content)
    name, _, parity = export.export(fitted("linear", data), data, 0.5, rows=100)
    assert name == "skops" and parity.problem and not parity.exact
    assert parity.disagreeing == parity.rows
    assert "ONNX cannot hold this model" in export.evidence(name, parity).message


def test_a_model_the_converter_does_not_know_leaves_as_skops_and_is_right(generate: Any) -> None:
    from sklearn.pipeline import Pipeline
    from sklearn.semi_supervised import LabelSpreading

    _, data = generate("binary", 100)
    whole = dataclasses.replace(data, inputs=data.inputs.fillna({"x1": 0}))
    model = Pipeline([("encode", models.encoder(data.columns, impute=True)), ("model", LabelSpreading())])
    model = models.fit(model, whole, np.arange(100))
    name, content, parity = export.export(model, whole, 0.5, rows=100)
    assert name == "skops" and parity.problem
    trusted = skops.io.get_untrusted_types(data=content)
    assert (
        models.predict(skops.io.loads(content, trusted=trusted), whole.inputs) == models.predict(model, whole.inputs)
    ).all()


def test_an_untrusted_type_is_not_loaded() -> None:
    class_of_others = skops.io.dumps({"model": np.random.RandomState, "f": print})
    with pytest.raises((UntrustedTypesFoundException, TypeError)):
        export.load_skops(class_of_others, ["numpy.dtype"])
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UntrustedTypesFoundException):
        export.load_skops(skops.io.dumps(FunctionTransformer(fitted)), ["numpy.dtype"])


def test_a_difference_that_crosses_the_line_is_one(generate: Any) -> None:
    _, data = generate("binary", 50)

    def differing(first: float, second: float, line: float = 0.3) -> int:
        return export.compare(np.array([first]), np.array([second]), data, line).disagreeing

    assert differing(0.5, 0.5 + 5e-6) == 0
    assert differing(0.5, 0.5 + 2e-5) == 1
    assert differing(0.3 - 1e-6, 0.3 + 1e-6) == 1, "another decision, however close"
    assert differing(0.3 - 2e-6, 0.3 - 1e-6) == 0
    assert differing(0.5, np.nan) == differing(np.nan, np.nan) == differing(np.inf, np.inf) == 1


def test_a_regression_is_compared_by_the_spread_of_its_target_and_never_by_its_size(generate: Any) -> None:
    _, numbers = generate("regression", 50)
    for middle in (0.0, 812_345_678.0):
        moved = dataclasses.replace(numbers, outcome=numbers.outcome - numbers.outcome.mean() + middle)
        spread = moved.outcome.std()
        first = middle + np.array([0.0, 0.0, 1000 * spread])  # the last far outside of all that was seen
        second = first + spread * np.array([5e-5, 2e-4, 5e-2])
        assert export.compare(first, second, moved, 0.5).disagreeing == 1


def test_classes_are_compared_by_code_and_by_every_probability(generate: Any) -> None:
    _, classes = generate("multiclass", 50)
    assert export.compare(np.array([0, 1, 2]), np.array([0, 2, 2]), classes, 0.5).disagreeing == 1
    first = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]])
    assert (
        export.compare(first, first + np.array([[0.0, 2e-5, -2e-5], [0.0, 1e-9, 0.0]]), classes, 0.5).disagreeing == 2
    )
    assert export.compare(first, first + np.array([[1e-6, 0.0, 0.0], [1e-9, 0.0, 0.0]]), classes, 0.5).exact


@pytest.mark.parametrize(("middle", "unit"), [(812_345_678, 4.0), (80_000_000, 4.0), (1e15, 1.0), (0.0, 4.0)])
@pytest.mark.parametrize("kind", ["linear", "boosting"])
def test_a_target_that_float32_cannot_hold_leaves_as_skops_and_is_as_good_as_tested(
    charter_of: Any, tmp_path: Path, kind: str, middle: float, unit: float
) -> None:
    from sklearn.metrics import r2_score

    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.normal(size=600), "b": random.normal(size=600)})
    table["y"] = middle + unit * (3 * table["a"] + random.normal(size=600))
    charter = charter_of(tmp_path, prediction={"problem_type": "regression"})
    data = dataset.dataset(charter, table)
    split = splits.split(charter, data, 0)
    learnt = models.linear(data) if kind == "linear" else models.boosting(data, 0, {"max_iter": 60})
    model = models.fit(learnt, data, split.train)
    name, content, parity = export.export(model, data, 0.5, rows=1000)
    assert (name, parity.exact) == (("skops", False) if middle else ("onnx", True))
    agreed = contract.describe(charter, data, split, Policy("regression"))
    bundle.write(tmp_path / "b", name, content, agreed, None, "")
    known, rows = table["y"].iloc[split.test], table.drop(columns="y").iloc[split.test]
    tested = r2_score(known, models.predict(model, data.inputs.iloc[split.test]))
    assert tested > 0.8
    assert r2_score(known, bundle.load(tmp_path / "b").predict(rows)) == pytest.approx(tested, abs=1e-3)


def test_a_constant_outcome_and_no_rows_are_compared_too(generate: Any) -> None:
    _, data = generate("regression", 50)
    constant = dataclasses.replace(data, outcome=np.zeros(50))
    assert export.compare(np.zeros(3), np.zeros(3), constant, 0.5).exact
    assert export.compare(np.array([]), np.array([]), data, 0.5).exact


def test_the_probes_hold_everything_a_live_model_meets(generate: Any) -> None:
    _, data = generate("binary", 100)
    probes = export.probe_rows(data, 300, seed=0)
    edges = export.edge_rows(data)
    assert len(probes) == 300 + len(edges)
    assert {MISSING, OTHER, "", "never seen", "red", "green", "blue"} <= set(edges["colour"])
    assert edges[data.columns.numbers].isna().all(axis=1).any()
    numbers = edges[data.columns.numbers].to_numpy()
    assert (numbers[np.isfinite(numbers)] == numbers[np.isfinite(numbers)].astype(np.float32)).all()
    pd.testing.assert_frame_equal(probes, export.probe_rows(data, 300, seed=0))


def test_edge_rows_never_leave_what_the_exported_model_takes(generate: Any) -> None:
    _, data = generate("binary", 100)
    data.inputs.loc[0, "x1"], data.inputs.loc[1, "x1"] = LARGEST, -LARGEST
    assert np.isfinite(export.edge_rows(data)["x1"].dropna()).all()


def test_the_order_in_which_the_converter_names_its_operators_changes_no_byte(
    generate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = generate("binary", 200)
    model = fitted("linear", data)
    usual, convert = export.to_onnx(model, data.columns), skl2onnx.to_onnx

    def turned(*arguments: Any, **options: Any) -> Any:
        made = convert(*arguments, **options)
        imports = list(reversed(made.opset_import))  # as in a process in which texts have another hash
        del made.opset_import[:]
        made.opset_import.extend(imports)
        return made

    monkeypatch.setattr(skl2onnx, "to_onnx", turned)
    assert export.to_onnx(model, data.columns) == usual
