"""Rows like those of a sample, and the report on how like them: compared with what shuffling alone would give."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab2live.charter import loading as charters
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.synthesis import closeness, demo_silos, resample, simulate


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pd.DataFrame]]:
    """Simulate the demo's silos from a sample of 1,200 customers; gives the folder and the sample."""
    folder = tmp_path_factory.mktemp("learnt")
    crm, invoices, tickets, _ = demo_silos.telecom(customers=1200)
    (folder / "sample").mkdir()
    crm.to_csv(folder / "sample/crm.csv", index=False)
    invoices.to_csv(folder / "sample/billing.csv", index=False)
    tickets.to_parquet(folder / "sample/support.parquet", index=False)
    simulate.write(charters.DEMO_CHARTER, folder / "out", sample=folder / "sample", say=lambda _: None)
    return folder, {"crm": crm, "billing": invoices, "support": tickets}


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "out" / name).read_text(encoding="utf-8"))


def test_keys_are_new_and_join_and_the_cells_are_the_samples(learnt: Any) -> None:
    folder, sample = learnt
    crm, billing = (pd.read_csv(folder / f"out/{name}.csv") for name in ("crm", "billing"))
    support = pd.read_parquet(folder / "out/support.parquet")
    assert len(crm) == 1200 and crm["customer_id"].is_unique
    assert len(set(crm["customer_id"]) & set(sample["crm"]["customer_id"])) < 20  # by chance alone
    assert (
        billing["customer_id"].isin(crm["customer_id"]).all() and support["customer_id"].isin(crm["customer_id"]).all()
    )
    for made, real in ((crm, sample["crm"]), (billing, sample["billing"]), (support, sample["support"])):
        assert list(made) == list(real)
        for column in made.columns.drop("customer_id"):
            # months are read as their first days
            known = real[column].dropna().astype(str).str.replace(r"^(\d{4}-\d{2})$", r"\1-01", regex=True)
            assert set(made[column].dropna().astype(str)) <= set(known)
    assert crm["age"].isna().mean() == pytest.approx(sample["crm"]["age"].isna().mean(), abs=0.02)
    # every customer has one bill a month, and their bills are alike
    assert billing.groupby("customer_id")["month"].nunique().eq(3).mean() > 0.9
    spread = [frame.groupby("customer_id")["amount"].std().median() for frame in (billing, sample["billing"])]
    assert spread[0] < 3 * spread[1]


def test_the_report_is_far_better_than_shuffling_and_says_what_it_is(learnt: Any) -> None:
    folder, _ = learnt
    found, truth = read(folder, "closeness.json"), read(folder, "truth.json")
    assert found["cases"]["auc"] < 0.7 < 0.95 < found["cases"]["independent"]
    assert found["cases"]["low"] < found["cases"]["auc"] < found["cases"]["high"]
    scores = found["model"]["trained_on"]
    assert scores["simulated"] == pytest.approx(scores["real"], abs=0.06)
    columns = {entry["column"]: entry for entry in found["sources"]["crm"]["columns"]}
    assert columns["customer_id"]["distance"] is None
    assert max(entry["distance"] for name, entry in columns.items() if name != "customer_id") < 0.1
    assert found["sources"]["crm"]["pairs"]["mean"] < 0.06
    assert (found["simulated"], found["anonymous"], truth["simulated"]) == (True, False, True)
    assert "not anonymous" in truth["what"] and truth["sources"]["crm"]["learnt_from_sample"]
    page = (folder / "out/closeness.html").read_text(encoding="utf-8")
    assert "not anonymous" in page and "<script" not in page and f"{found['cases']['auc']:.2f}" in page


def test_relations_survive_and_missing_cells_go_with_what_they_went_with() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=3000)
    group = np.where(x > 0, "high", "low").astype(object)
    group[random.random(3000) < 0.1] = None
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta((100 + 50 * x).astype(int), unit="D")
    y = pd.Series(x**2 + random.normal(0, 0.1, 3000)).mask(x > 1)
    real = pd.DataFrame({"x": x, "group": group, "day": days, "y": y, "name": [f"n{n}" for n in range(3000)]})
    made = resample.like(real, np.random.default_rng(1), 2000)
    assert made["x"].corr(made["day"].astype("int64")) > 0.97
    assert ((made["x"] > 0) == (made["group"] == "high"))[made["group"].notna()].mean() > 0.98
    assert made["y"].isna()[made["x"] > 1.1].mean() > 0.95 > 0.05 > made["y"].isna()[made["x"] < 0.9].mean()
    assert made["y"].corr(made["x"] ** 2) > 0.95
    assert not set(made["name"]) & set(real["name"]) and made["name"].is_unique


CELLS = st.none() | st.text(max_size=3) | st.floats() | st.integers(-(10**20), 10**20) | st.booleans() | st.dates()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    table=st.lists(st.tuples(CELLS, CELLS, st.floats(), st.sampled_from("abc")), min_size=1, max_size=30),
    rows=st.integers(0, 20),
)
def test_any_sample_can_be_learnt_from(table: Any, rows: int) -> None:
    sample = pd.DataFrame(table, columns=["a", "b", "c", "d"]).assign(k=range(len(table)))
    made = resample.like(sample, np.random.default_rng(0), rows, ["k"])
    assert list(made) == list(sample) and len(made) == rows
    links = sample.assign(k=np.arange(len(sample)) // 2)
    parents = pd.DataFrame({"k": range(max(1, rows)), "a": made["a"].reindex(range(max(1, rows)))})
    children = resample.children(links, sample, parents, ["k"], np.random.default_rng(0))
    assert list(children) == list(links) and set(children["k"]) <= set(parents["k"])


def test_keys_may_be_numbers_in_one_silo_and_text_in_another(tmp_path: Path) -> None:
    entries = [{"name": name, "uri": f"{name}.parquet", "key": "id"} for name in ("one", "two")]
    blocks = {"prediction": {"problem_type": "classification", "target": "y"}, "join": {"base": "one", "on": "id"}}
    (tmp_path / "spec.yaml").write_text(json.dumps({"sources": entries, **blocks}))
    one = pd.DataFrame({"id": range(200), "y": ["no", "yes"] * 100})
    one.to_parquet(tmp_path / "one.parquet")
    one.assign(id=one["id"].astype(str), copy=one["y"]).drop(columns="y").to_parquet(tmp_path / "two.parquet")
    simulate.write(tmp_path / "spec.yaml", tmp_path / "out", sample=tmp_path, say=lambda _: None)
    first, second = (pd.read_parquet(tmp_path / f"out/{name}.parquet") for name in ("one", "two"))
    table = first.merge(second, on="id")
    assert len(table) == 200 and (table["y"] == table["copy"]).mean() > 0.95


def test_a_small_sample_is_compared_column_by_column_only(charter_of: Any) -> None:
    charter: Charter = charter_of(prediction={"target": "y"})
    real = pd.DataFrame({"y": ["no", "yes"] * 5, "when": [dt.date(2025, 1, 1)] * 10, "<b>": [None] * 10})
    found = closeness.compare(charter, {"s": real}, {"s": real}, 0)
    assert found["cases"] is None and [entry["distance"] for entry in found["sources"]["s"]["columns"][:2]] == [0, 0]
    assert "&lt;b&gt;" in closeness.page(found) and "too few cases" in closeness.page(found)


def test_a_regression_is_compared_by_what_models_explain(charter_of: Any) -> None:
    charter = charter_of(prediction={"target": "y", "problem_type": "regression"})
    random = np.random.default_rng(0)
    real = pd.DataFrame({"x": random.normal(size=900)}).assign(y=lambda frame: 3 * frame["x"] + random.normal(size=900))
    made = resample.like(real, random, 900)
    model = closeness.compare(charter, {"s": real}, {"s": made}, 0)["model"]
    assert model["score"] == "r2" and min(model["trained_on"].values()) > 0.75


def test_samples_that_do_not_fit_are_explained(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    with pytest.raises(UserError) as caught:
        simulate.write(charters.DEMO_CHARTER, tmp_path / "out", sample=tmp_path / "sample", say=lambda _: None)
    assert "crm.csv" in caught.value.details["expected"]
    (tmp_path / "sample/crm.csv").write_text("name,age\na,1\n")
    with pytest.raises(UserError) as caught:
        simulate.write(charters.DEMO_CHARTER, tmp_path / "out", sample=tmp_path / "sample", say=lambda _: None)
    assert caught.value.details["expected"] == "customer_id"
    (tmp_path / "sample/crm.csv").write_text("customer_id,age\n")
    with pytest.raises(UserError) as caught:
        simulate.write(charters.DEMO_CHARTER, tmp_path / "out", sample=tmp_path / "sample", say=lambda _: None)
    assert "no rows" in caught.value.details["found"] and not (tmp_path / "out").exists()
