"""The simulated company: what it says about itself is true."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from lab2live.errors import UserError
from lab2live.synthesis import demo_silos

Company = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]


@pytest.fixture(scope="module")
def company() -> Company:
    return demo_silos.telecom()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_limit_is_what_fresh_outcomes_show(seed: int) -> None:
    random = np.random.default_rng(seed)
    probability = random.beta(1.2, 4, 1500)
    drawn = [roc_auc_score(random.random(1500) < probability, probability) for _ in range(300)]
    assert demo_silos.expected_auc(probability) == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(300))


def test_a_limit_without_any_signal_is_one_half_and_a_certain_one_is_one() -> None:
    assert demo_silos.expected_auc(np.r_[np.zeros(50), np.ones(50)]) == 1
    nearly_equal = 0.3 + np.linspace(0, 1e-9, 1000)
    assert demo_silos.expected_auc(nearly_equal) == pytest.approx(0.5, abs=1e-3)


def test_nobody_does_better_than_the_limit(company: Company) -> None:
    crm, invoices, tickets, truth = company
    invoices = invoices.groupby("customer_id").agg(bill=("amount", "mean"), late=("paid_late", "sum"))
    tickets = tickets.groupby("customer_id").agg(tickets=("topic", "size"), wait=("wait_hours", "max"))
    table = crm.set_index("customer_id").join([invoices, tickets])
    x = pd.get_dummies(table.drop(columns=["churned", "signup_date"])).astype(float)
    y = (table["churned"] == "yes").to_numpy()
    scores = []
    for seed in range(3):
        x1, x2, y1, y2 = train_test_split(x, y, test_size=0.3, random_state=seed, stratify=y)
        model = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=8, max_iter=80).fit(x1, y1)
        scores.append(roc_auc_score(y2, model.predict_proba(x2)[:, 1]))
    assert truth["bayes_roc_auc"] - 0.06 < np.mean(scores) < truth["bayes_roc_auc"]


def test_the_planted_faults_have_the_shares_that_the_truth_says(company: Company) -> None:
    crm, invoices, tickets, truth = company
    rows = len(crm)

    def near(share: float, planted: float) -> bool:
        return abs(share - planted) < 4 * np.sqrt(planted / rows)

    assert rows == demo_silos.CUSTOMERS and crm["customer_id"].is_unique
    assert near(crm["age"].isna().mean(), truth["missing_age"])
    assert near(crm["tariff"].isna().mean(), truth["missing_tariff"])
    assert near(1 - crm["customer_id"].isin(invoices["customer_id"]).mean(), truth["customers_without_invoices"])
    assert near((~invoices["customer_id"].isin(crm["customer_id"])).mean(), truth["invoices_of_strangers"])
    assert near((crm["churned"] == "yes").mean(), truth["churn_rate"])
    assert tickets["customer_id"].isin(crm["customer_id"]).all()


def test_the_same_seed_gives_the_same_company_and_another_seed_another(company: Company) -> None:
    again, other = demo_silos.telecom(), demo_silos.telecom(seed=1)
    for first, second, third in zip(company[:3], again[:3], other[:3], strict=True):
        pd.testing.assert_frame_equal(first, second)
        assert not first.equals(third)
    assert company[3] == again[3]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        demo_silos.demo_file("demo://telecom/crm.csv", tmp_path / name)
    first, second = (contents(tmp_path / name / "data" / "demo") for name in ("a", "b"))
    assert first == second
    assert set(first) == {"crm.csv", "billing.sqlite", "support.parquet", "truth.json"}


def whole(folder: Path) -> bool:
    home = folder / "data" / "demo"
    left = [path for path in home.parent.iterdir() if path != home]
    return not left and set(contents(home)) == {"crm.csv", "billing.sqlite", "support.parquet", "truth.json"}


def few(**settings: Any) -> Any:
    return TELECOM(customers=200, **settings)


TELECOM = demo_silos.telecom


def test_threads_that_write_at_once_always_find_a_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_silos, "telecom", few)

    def ask(_: int) -> bytes:
        return demo_silos.demo_file("demo://telecom/crm.csv", tmp_path).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(40)))) == 1
    assert whole(tmp_path)


def test_processes_that_write_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom lab2live.synthesis import demo_silos\n"
        f"print(len(demo_silos.demo_file('demo://telecom/crm.csv', Path({str(tmp_path)!r})).read_bytes()))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120) for process in running]
    assert len({out for out, _ in said}) == 1, said
    assert whole(tmp_path)


def test_a_copy_of_an_older_generator_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_silos, "telecom", few)
    file = demo_silos.demo_file("demo://telecom/crm.csv", tmp_path)
    fresh = file.read_bytes()
    file.write_text("old")
    (file.parent / demo_silos.TRUTH).write_text(json.dumps({"generator": demo_silos.GENERATOR - 1}))
    assert demo_silos.demo_file("demo://telecom/crm.csv", tmp_path).read_bytes() == fresh
    assert whole(tmp_path)


def test_a_silo_that_was_deleted_is_made_again_and_an_unknown_one_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_silos, "telecom", few)
    file = demo_silos.demo_file("demo://telecom/crm.csv", tmp_path)
    file.unlink()
    assert demo_silos.demo_file("demo://telecom/crm.csv", tmp_path).is_file()
    with pytest.raises(UserError) as caught:
        demo_silos.demo_file("demo://telecom/erp.csv", tmp_path)
    assert "demo://telecom/billing.sqlite" in caught.value.details["expected"]
    shutil.rmtree(file.parent)
