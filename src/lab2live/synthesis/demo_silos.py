"""The telecom demo: three simulated silos with a known truth, and what nobody can do better than."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lab2live.charter.schema import DEMO_SCHEME
from lab2live.errors import UserError

# Raise this when the generator changes, so that copies written earlier are made again.
GENERATOR = 1
CUSTOMERS = 8000
SILOS = ("crm.csv", "billing.sqlite", "support.parquet")
TRUTH = "truth.json"

REGIONS = {"North": 0.24, "South": 0.22, "East": 0.18, "West": 0.16, "Central": 0.13, "Islands": 0.07}
TARIFFS = {"Basic": 18.0, "Comfort": 32.0, "Premium": 55.0, "Student": 12.0}


def demo_file(address: str, folder: Path) -> Path:
    """Give the file behind a `demo://` address, writing the demo's silos first when they are not there.

    Parameters
    ----------
    address
        E.g. `demo://telecom/crm.csv`.
    folder
        The project's folder: the silos are written to `data/demo` in it, with `truth.json` beside them.

    Raises
    ------
    UserError
        If the demo has no such silo.
    """
    home = folder / "data" / "demo"
    wanted = address.removeprefix(DEMO_SCHEME).removeprefix("telecom/")
    if not _current(home):
        put(home, _write_silos, lambda: _current(home))
    path = home / wanted
    if not path.is_file():
        known = ", ".join(f"{DEMO_SCHEME}telecom/{name}" for name in SILOS)
        raise UserError("The demo has no such silo.", found=address, expected=known, fix="correct the source's `uri`")
    return path


def _current(home: Path) -> bool:
    """Say whether this generator wrote the silos, and all of them are still there."""
    if not all((home / name).is_file() for name in (*SILOS, TRUTH)):
        return False
    return bool(json.loads((home / TRUTH).read_text(encoding="utf-8")).get("generator") == GENERATOR)


def put(home: Path, fill: Callable[[Path], None], current: Callable[[], bool]) -> None:
    """Fill a folder beside the target and move it there: several notebooks may get here at once.

    Parameters
    ----------
    home
        Where the files shall be; what is there already is replaced as a whole.
    fill
        Writes them into the folder it is given.
    current
        Says whether `home` holds what `fill` would write.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}-"))
    try:
        fill(work)
        work.chmod(0o755)
        if home.exists() and not current():
            # moved, not emptied: whoever finds the folder finds all of it
            os.rename(home, work / "old")
        os.rename(work, home)
        shutil.rmtree(home / "old", ignore_errors=True)
    except OSError:
        if not current():  # else another process was faster, and wrote the same bytes
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_silos(work: Path) -> None:
    crm, invoices, tickets, truth = telecom()
    for_crm, for_billing, for_support = (work / name for name in SILOS)
    crm.to_csv(for_crm, index=False)
    with sqlite3.connect(for_billing) as connection:
        invoices.to_sql("invoices", connection, index=False)
    connection.close()
    tickets.to_parquet(for_support, index=False)
    truth = {"simulated": True, "generator": GENERATOR, **truth}
    (work / TRUTH).write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")


def telecom(
    customers: int = CUSTOMERS, seed: int = 20260101
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, object]]:
    """Simulate a telecom company and the customers who leave it.

    Whether somebody leaves is drawn from a probability that depends on columns of the silos only, in a way that is
    neither linear nor additive: complaints matter on a monthly contract and hardly on others, and the first year is
    the most dangerous. A perfect model of these columns would know that probability, and no more.

    Parameters
    ----------
    customers
        Number of customers in the crm.
    seed
        Of the generator.

    Returns
    -------
    crm, invoices, tickets
        The three silos with some everyday faults: missing tariffs and ages, customers without invoices, invoices of
        customers whom the crm does not know.
    truth
        What the generator knows: `bayes_roc_auc`, the best ROC AUC reachable with these columns, `churn_rate`, and
        the shares of the planted faults.
    """
    random = np.random.default_rng(seed)
    ids = np.array([f"C{number:06d}" for number in random.permutation(900_000)[:customers] + 100_000])
    tenure = np.ceil(random.gamma(1.6, 18, customers)).clip(1, 160)
    age = random.normal(45, 16, customers).clip(18, 92).round()
    tariff = random.choice(list(TARIFFS), customers, p=[0.38, 0.34, 0.18, 0.10])
    tariff[age > 32] = np.where(tariff[age > 32] == "Student", "Basic", tariff[age > 32])
    contract = random.choice(["monthly", "one year", "two years"], customers, p=[0.48, 0.32, 0.20])
    autopay = random.random(customers) < 0.62
    usage = random.lognormal(0, 0.35, customers)
    bill = np.array([TARIFFS[name] for name in tariff]) * (0.75 + 0.35 * usage)
    amounts = (bill[:, None] * random.normal(1, 0.06, (customers, 3))).round(2)
    late = random.random((customers, 3)) < np.where(autopay, 0.04, 0.16)[:, None]
    tickets_each = random.poisson(random.gamma(0.8, 1.0, customers))
    waits = [random.gamma(1.5, 9.0, number).round(1) for number in tickets_each]
    longest = np.array([wait.max() if len(wait) else 0.0 for wait in waits])

    monthly = contract == "monthly"
    logit = (
        -3.35
        + 1.25 * monthly
        + 0.35 * (contract == "one year")
        + 1.5 * np.exp(-tenure / 9)
        + np.where(monthly, 0.75, 0.12) * np.minimum(tickets_each, 4)
        + 0.9 * ((longest > 24) & (tickets_each >= 2))
        + 0.55 * late.sum(axis=1)
        + 0.028 * (amounts.mean(axis=1) - 30)
        - 0.45 * autopay
        + 0.35 * (tariff == "Student")
        + 0.5 * ((age - 48) / 22) ** 2 * (age < 48)
    )
    probability = 1 / (1 + np.exp(-logit))
    churned = random.random(customers) < probability

    crm = pd.DataFrame(
        {
            "customer_id": ids,
            "signup_date": pd.Timestamp("2026-08-01") - pd.to_timedelta(np.round(tenure * 30.44), unit="D"),
            "region": random.choice(list(REGIONS), customers, p=list(REGIONS.values())),
            "age": age,
            "tariff": tariff,
            "contract": contract,
            "tenure_months": tenure.astype(int),
            "autopay": np.where(autopay, "yes", "no"),
            "churned": np.where(churned, "yes", "no"),
        }
    )
    crm.loc[random.random(customers) < 0.03, "age"] = np.nan
    crm.loc[random.random(customers) < 0.015, "tariff"] = np.nan
    crm["signup_date"] = crm["signup_date"].dt.strftime("%Y-%m-%d")

    invoices = pd.DataFrame(
        {
            "customer_id": np.repeat(ids, 3),
            "month": np.tile(["2026-05", "2026-06", "2026-07"], customers),
            "amount": amounts.ravel(),
            "paid_late": late.ravel().astype(int),
        }
    )
    silent = random.random(customers) < 0.01
    invoices = invoices[~np.repeat(silent, 3)]
    strangers = invoices.sample(frac=0.005, random_state=int(random.integers(2**31)))
    strangers = strangers.assign(customer_id="X" + strangers["customer_id"].str[1:])
    invoices = pd.concat([invoices, strangers], ignore_index=True)

    tickets = pd.DataFrame(
        {
            "customer_id": np.repeat(ids, tickets_each),
            "opened_on": pd.Timestamp("2026-05-01")
            + pd.to_timedelta(random.integers(0, 92, tickets_each.sum()), unit="D"),
            "topic": random.choice(["network", "bill", "contract", "device"], tickets_each.sum()),
            "wait_hours": np.concatenate(waits),
        }
    )
    truth: dict[str, object] = {
        "bayes_roc_auc": expected_auc(probability),
        "churn_rate": float(probability.mean()),
        "missing_age": 0.03,
        "missing_tariff": 0.015,
        "customers_without_invoices": 0.01,
        "invoices_of_strangers": 0.005,
    }
    return crm, invoices, tickets, truth


def expected_auc(probability: np.ndarray) -> float:
    """Give the expected ROC AUC of the true probabilities themselves.

    Of all pairs (positive, negative), weighted by how likely each case is to be one or the other, the share in which
    the positive has the higher probability: the limit that no score computed from the same columns can exceed on
    average.
    """
    order = np.sort(probability)
    negatives_below = np.concatenate([[0.0], np.cumsum(1 - order)[:-1]])
    return float((order * negatives_below).sum() / (order.sum() * (1 - order).sum() - (order * (1 - order)).sum()))
