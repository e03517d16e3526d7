"""Simulated silos: what the charter declares is what comes out, and arbitrary charters do not break it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score

from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.synthesis import silos, simulate, synthetic


def one(columns: dict[str, Any], prediction: dict[str, Any] | None = None, **simulation: Any) -> Charter:
    known = {"problem_type": "classification", "target": "y", "id_column": "id", **(prediction or {})}
    source = {"name": "base", "key": "id", "columns": {"id": {}, **columns}}
    return Charter.model_validate({"prediction": known, "sources": [source], "simulate": simulation})


def draw(charter: Charter, rows: int = 4000, seed: int = 0) -> tuple[pd.DataFrame, dict[str, Any]]:
    frames, truth = silos.simulate(charter, rows, seed)
    return frames[charter.base.name], truth


def z(column: pd.Series) -> pd.Series:
    return ((column.astype(float) - column.mean()) / column.std()).fillna(0)


def test_declared_effects_are_recovered_and_the_limit_is_the_true_one() -> None:
    columns = {
        "a": {"min": 0, "mean": 5, "missing": 0.1},
        "b": {"type": "integer", "min": 0, "max": 9},
        "c": {"values": ["x", "y"]},
        "d": {"type": "date"},
        "free": {},
    }
    effects = {"a": 0.9, "b": -0.5, "c": {"y": 1.2}, "d": 0.4}
    frame, truth = draw(one(columns, base_rate=0.2, effects=effects), 20_000)
    days = pd.Series(frame["d"].astype("int64"))
    x = pd.DataFrame({"a": z(frame["a"]), "b": z(frame["b"]), "c": frame["c"] == "y", "d": z(days)}).astype(float)
    y = frame["y"] == "yes"
    model = LogisticRegression(C=1e6).fit(x, y)
    assert model.coef_[0] == pytest.approx([0.9, -0.5, 1.2, 0.4], abs=0.1)
    assert y.mean() == pytest.approx(0.2, abs=0.015)
    assert truth["bayes_roc_auc"] == pytest.approx(roc_auc_score(y, model.predict_proba(x)[:, 1]), abs=0.015)
    assert frame["a"].isna().mean() == pytest.approx(0.1, abs=0.015)


def test_noise_lowers_what_can_be_known() -> None:
    quiet, loud = (draw(one({"a": {"min": 0}}, effects={"a": 1.5}, noise=noise))[1] for noise in (None, 3.0))
    assert loud["bayes_roc_auc"] < quiet["bayes_roc_auc"] - 0.1


def test_a_number_has_the_declared_effects_in_its_own_spread() -> None:
    columns = {"a": {"min": 0}, "c": {"type": "boolean"}, "y": {"type": "number", "min": 0, "mean": 200}}
    charter = one(columns, {"problem_type": "regression"}, effects={"a": 0.6, "c": {True: 0.5}})
    frame, truth = draw(charter, 20_000)
    x = pd.DataFrame({"a": z(frame["a"]), "c": frame["c"].astype(float)})
    model = LinearRegression().fit(x, frame["y"])
    assert model.coef_ / frame["y"].std() == pytest.approx([0.6, 0.5], abs=0.04)
    assert truth["bayes_r2"] == pytest.approx(r2_score(frame["y"], model.predict(x)), abs=0.03)
    assert frame["y"].mean() == pytest.approx(200, rel=0.2) and frame["y"].min() >= 0


def test_several_classes_have_their_shares_and_rise_with_the_signal() -> None:
    columns = {"a": {"min": 0}, "y": {"values": {"low": 0.5, "middle": 0.3, "high": 0.2}}}
    frame, truth = draw(one(columns, effects={"a": 1.5}), 10_000)
    shares = frame["y"].value_counts(normalize=True)
    assert [shares[name] for name in ("low", "middle", "high")] == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    means = frame.groupby("y")["a"].mean()
    assert means["low"] < means["middle"] < means["high"] and 0.6 < truth["bayes_roc_auc"] < 0.9


def test_without_effects_the_target_is_chance_and_it_is_said() -> None:
    _, truth = draw(one({"a": {"min": 0}}))
    assert truth["bayes_roc_auc"] == pytest.approx(0.5) and "no column tells anything" in truth["note"]


@pytest.mark.parametrize(("positive", "other"), [("yes", "no"), (1, 0), (True, False), ("gone", "not gone")])
def test_the_positive_class_gets_its_opposite_and_the_base_rate(positive: Any, other: Any) -> None:
    frame, _ = draw(one({}, {"positive_class": positive}, base_rate=0.1))
    assert set(frame["y"]) == {positive, other}
    assert (frame["y"] == positive).mean() == pytest.approx(0.1, abs=0.02)


def test_columns_that_are_only_named_get_a_sensible_type() -> None:
    prediction = {"time_column": "seen_on", "group_column": "team", "sensitive": ["age"], "annotators": ["ann", "bob"]}
    charter = one({}, {**prediction, "direction": {"effort": "increase"}, "immutable": ["region"]})
    source = charter.sources[0].model_copy(update={"critical": ["amount"], "expected": {"area": ["N", "S"]}})
    frame, _ = draw(charter.model_copy(update={"sources": [source]}), 1000)
    assert frame["seen_on"].dtype.kind == "M" and frame["age"].between(18, 90).all()
    assert frame["team"].nunique() == 100 and set(frame["area"]) == {"N", "S"}
    assert frame["effort"].dtype.kind == "f" and frame["amount"].min() >= 0 and frame["region"].nunique() == 4
    assert 0.9 < (frame["ann"] == frame["y"]).mean() < 1 and not frame["ann"].equals(frame["bob"])


def several(effects: dict[str, Any], **child: Any) -> Charter:
    entries = [
        {"name": "base", "key": "id", "columns": {"age": {"min": 18, "max": 90}}},
        {"name": "many", "key": "id", "columns": {"id": {"missing": 0.1}, "paid": {"min": 0}}, **child},
        {"name": "single", "key": "id", "columns": {"age": {}, "wait": {"min": 0}}},
    ]
    blocks = {"join": {"base": "base", "on": "id"}, "simulate": {"effects": effects}}
    prediction = {"problem_type": "classification", "target": "y"}
    return Charter.model_validate({"prediction": prediction, "sources": entries, **blocks})


def test_sources_join_and_agree_and_effects_reach_into_them() -> None:
    charter = several({"rows": 1.0, "many.paid": 0.8, "wait": -0.6}, aggregate={"rows": "count(*)"})
    frames, _ = silos.simulate(charter, 10_000, 0)
    base, many, single = (frames[name] for name in ("base", "many", "single"))
    assert single["id"].is_unique and set(single["id"]) == set(base["id"]) >= set(many["id"])
    pd.testing.assert_series_equal(single["age"], base["age"])  # what two silos say about a case is the same
    table = base.merge(single[["id", "wait"]], on="id")
    paid = many.groupby("id").agg(rows=("paid", "size"), paid=("paid", "mean")).reset_index()
    table = table.merge(paid, on="id", how="left")
    x = pd.DataFrame({name: z(table[name]) for name in ("rows", "paid", "wait")})
    assert LogisticRegression(C=1e6).fit(x, table["y"] == "yes").coef_[0] == pytest.approx([1.0, 0.8, -0.6], abs=0.1)
    assert 0.2 < 1 - base["id"].isin(many["id"]).mean() < 0.3  # 10 % declared, and who happens to have none
    assert many["id"].value_counts().max() > 8


def test_a_base_with_rows_of_its_own_repeats_the_join_key() -> None:
    entries = [
        {"name": "orders", "key": "order", "columns": {"order": {"type": "integer"}}},
        {"name": "people", "key": "person", "columns": {"wealth": {"min": 0}}},
    ]
    blocks = {"join": {"base": "orders", "on": "person"}, "simulate": {"effects": {"wealth": 1.0}}}
    prediction = {"problem_type": "classification", "target": "y", "id_column": "order"}
    charter = Charter.model_validate({"prediction": prediction, "sources": entries, **blocks})
    frames, truth = silos.simulate(charter, 3000, 0)
    assert frames["orders"]["order"].is_unique and frames["orders"]["person"].nunique() < 1500
    assert set(frames["people"]["person"]) == set(frames["orders"]["person"]) and truth["bayes_roc_auc"] > 0.7


def test_a_target_in_another_silo_is_drawn_there() -> None:
    entries = [
        {"name": "base", "key": "id", "columns": {"a": {"min": 0}}},
        {"name": "labels", "key": "id", "columns": {"y": {"values": ["no", "yes"]}}},
    ]
    blocks = {"join": {"base": "base", "on": "id"}, "simulate": {"effects": {"a": 2.0}}}
    prediction = {"problem_type": "classification", "target": "y"}
    charter = Charter.model_validate({"prediction": prediction, "sources": entries, **blocks})
    frames, truth = silos.simulate(charter, 2000, 0)
    table = frames["base"].merge(frames["labels"], on="id")
    assert "y" not in frames["base"] and truth["bayes_roc_auc"] > 0.8
    assert roc_auc_score(table["y"] == "yes", table["a"]) == pytest.approx(truth["bayes_roc_auc"], abs=0.03)


@pytest.mark.parametrize(
    ("effects", "columns", "word"),
    [
        ({"aeg": 1}, {"age": {}}, "age"),
        ({"c": 1}, {"c": {"values": ["x", "z"]}}, "{value: effect}"),
        ({"c": {"w": 1}}, {"c": {"values": ["x", "z"]}}, "x, z"),
    ],
)
def test_an_effect_that_cannot_be_meant_is_explained(effects: Any, columns: Any, word: str) -> None:
    charter = one(columns, effects=effects)
    with pytest.raises(UserError) as caught:
        draw(charter, 100)
    assert "simulate.effects" in caught.value.details["where"] and word in str(caught.value)


@pytest.mark.parametrize(
    "column",
    [
        {"min": 5, "max": 5},
        {"min": 0, "max": 1e308},
        {"min": -1e308, "max": 1e308, "mean": 0},
        {"min": 0, "max": 1, "mean": 0},
        {"max": -3},
        {"mean": 1e-9},
        {"type": "integer", "min": 0.2, "max": 0.8},
        {"type": "integer", "min": 0, "mean": 1e15},
        {"type": "INT", "max": 4},
        {"type": "varchar(20)"},
        {"values": [None, 1, "a", 2.5, True]},
        {"values": {"x": 0, "y": 3}},
        {"type": "text"},
        {"missing": 1},
    ],
    ids=str,
)
def test_odd_columns_keep_their_limits(column: dict[str, Any]) -> None:
    frame, _ = draw(one({"a": column}), 300)
    values = frame["a"].dropna()
    assert len(frame) == 300 and (len(values) == 300 or "missing" in column)
    if values.dtype.kind == "f" and len(values):
        assert np.isfinite(values).all()
        assert values.min() >= column.get("min", -np.inf) and values.max() <= column.get("max", np.inf)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(str.strip)
NUMBERS = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))
COLUMN = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*synthetic.TYPES, "Integer", "decimal(8,2)"]),
        "bounds": st.lists(NUMBERS, min_size=3, max_size=3).map(sorted),
        "values": st.lists(NAMES | st.integers(-5, 5) | st.booleans(), min_size=1, max_size=5),
        "missing": st.floats(0, 1),
    },
).map(
    lambda column: (
        {key: value for key, value in column.items() if key != "bounds"}
        | dict(zip(("min", "mean", "max"), column.get("bounds", ()), strict=False))
    )
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    columns=st.dictionaries(NAMES, COLUMN, max_size=5),
    child=st.dictionaries(NAMES, COLUMN, max_size=3),
    target=NAMES,
    problem=st.sampled_from(["classification", "regression"]),
    rows=st.integers(1, 40),
    many=st.booleans(),
)
def test_any_charter_that_is_valid_can_be_simulated_and_written(
    tmp_path_factory: pytest.TempPathFactory,
    columns: Any, child: Any, target: str, problem: str, rows: int, many: bool,
) -> None:  # fmt: skip
    entries = [
        {"name": "one", "uri": "x.parquet", "key": "the id", "columns": columns},
        {"name": "two", "key": "the id", "columns": {"z": {}} | child, "aggregate": {"n": "count(*)"} if many else {}},
    ]
    blocks = {"join": {"base": "one", "on": "the id"}, "prediction": {"problem_type": problem, "target": target}}
    charter = Charter.model_validate({"sources": entries, **blocks})
    folder = tmp_path_factory.mktemp("any")
    frames, _ = silos.simulate(charter, rows, 1)
    assert len(frames["one"]) == rows and frames["one"]["the id"].is_unique
    assert set(frames["two"]["the id"]) <= set(frames["one"]["the id"])
    for source, file in simulate.file_names(charter.sources).items():
        simulate.to_file(frames[source], folder / file)
        read = pd.read_parquet(folder / file) if file.endswith("parquet") else pd.read_csv(folder / file)
        assert len(read) == len(frames[source])


def test_names_and_places_are_readable(tmp_path: Path) -> None:
    columns = {name: {"type": "text"} for name in ("full_name", "email", "address", "city", "remark")}
    frame, _ = draw(one(columns), 50)
    assert frame["email"].str.fullmatch(r"[a-z]+\.[a-z]+@example\.org").all()
    assert frame["full_name"].str.split().str.len().eq(2).all() and frame["address"].str.contains(", ").all()
