"""A telecom company: customers, accounts, tickets."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from worlds import (
    DAY_SHIFT,
    REGIONS,
    Place,
    World,
    at_hours,
    cities,
    codes,
    days_of,
    gaps,
    intercept,
    sigmoid,
    slashes,
    some,
)


def telecom(seed: int, today: dt.date | None = None) -> World:
    """Customers observed in one month, their accounts, and the tickets of the year before."""
    random = np.random.default_rng([seed, 1])
    end = pd.Timestamp(today or dt.date.today()) - pd.Timedelta(days=31)
    seen = end - pd.Timedelta(days=27)
    n = int(random.integers(2500, 4500))
    ids = np.array([f"C{code}" for code in random.choice(9_000_000, n, replace=False) + 1_000_000], dtype=object)
    signup = pd.Series(
        random.permutation(days_of(random, n, end - pd.Timedelta(days=3200), seen - pd.Timedelta(days=9), 0.7, 1.5))
    )
    observed = pd.Series(random.permutation(days_of(random, n, seen, end, 1.0, 0.0)))
    region = some(random, REGIONS, n)
    plan = some(random, {"Basic": 0.4, "Comfort": 0.32, "Premium": 0.2, "Max": 0.07, "Retro": 0.01}, n)
    contract = some(random, {"monthly": 0.45, "one year": 0.33, "two years": 0.22}, n)
    autopay = random.random(n) < 0.6
    age = random.normal(46, random.uniform(14, 17), n).clip(18, 94).round()
    tenure = ((observed - signup).dt.days / 30.44).round(1).to_numpy()
    heavy = random.normal(0, 0.55, n) + pd.Series(plan).map(
        {"Basic": -0.3, "Comfort": 0.1, "Premium": 0.5, "Max": 0.9, "Retro": -0.8}
    ).to_numpy(dtype=float)
    data_gb = np.round(np.exp(2.2 + heavy), 2)
    minutes = np.round(np.exp(5.3 + 0.8 * heavy + random.normal(0, 0.12, n)), 1)
    roaming = np.where(random.random(n) < 0.7, 0.0, random.lognormal(2, 0.8, n).round(2))
    fee = np.round((14 + 9 * np.exp(0.55 * heavy) + 6 * (contract == "monthly")) * random.lognormal(0, 0.06, n), 2)
    calls = random.poisson(random.gamma(1.0, random.uniform(2.0, 3.2), n))
    margin = 1.6 * (
        1.8 * (contract == "monthly")
        - 1.6 * (contract == "two years")
        + 0.45 * np.minimum(calls, 6)
        - 0.9 * autopay
        + 2.4 * np.exp(-tenure / 14)
        - 0.02 * (age - 46)
        + 0.6 * (plan == "Basic")
        + 0.03 * (fee - 30)
    )
    margin += random.normal(0, 0.3, n)
    churned = random.random(n) < sigmoid(margin + intercept(margin, random.uniform(0.17, 0.25)))
    upgrade = observed - pd.to_timedelta(random.integers(20, 900, n), unit="D")
    crm = pd.DataFrame(
        {
            "customer_id": ids,
            "signup_date": signup,
            "observed_on": observed,
            "region": region,
            "city": cities(random, region),
            "postal_code": codes(random, n, 5, 300),
            "age": gaps(random, age, 0.05),
            "plan": plan,
            "contract": contract,
            "autopay": np.where(autopay, "yes", "no"),
            "tenure_months": tenure,
            "data_gb": data_gb,
            "minutes": minutes,
            "roaming_eur": roaming,
            "lines": 1 + random.poisson(0.6, n),
            "last_upgrade": slashes(upgrade),
            "churned": np.where(churned, "yes", "no"),
        }
    )
    billing = pd.DataFrame(
        {
            "customer_id": ids,
            "region": region,
            "method": np.where(autopay, "direct debit", some(random, {"card": 0.5, "transfer": 0.5}, n)),
            "monthly_fee": fee,
            "open_amount": np.where(random.random(n) < 0.8, 0.0, np.round(fee * random.lognormal(0.2, 0.6, n), 2)),
            "dunning_level": random.choice([0, 1, 2, 3], n, p=[0.85, 0.1, 0.04, 0.01]),
            "branch": some(random, {"Hafen": 0.3, "Altstadt": 0.3, "Messe": 0.25, "Flughafen": 0.15}, n),
        }
    ).sample(frac=1, random_state=seed, ignore_index=True)
    who = np.repeat(np.arange(n), calls)
    first = seen - pd.Timedelta(days=365)
    opened = at_hours(random, days_of(random, len(who), first, seen - pd.Timedelta(days=1), 0.35, 0.3), DAY_SHIFT)
    who = random.permutation(who)
    real = opened > (signup.iloc[who] + pd.Timedelta(days=1)).to_numpy()
    who, opened = who[real], opened[real].floor("s")
    order = np.argsort(opened.to_numpy(), kind="stable")
    who, opened = who[order], opened[order]
    t = len(who)
    topic = some(random, {"network": 0.34, "bill": 0.3, "contract": 0.2, "device": 0.13, "fraud": 0.03}, t)
    wait = random.gamma(1.4, 9, t) * np.where(topic == "network", 1.3, 1.0)
    support = pd.DataFrame(
        {
            "ticket_no": 500_000 + np.cumsum(random.integers(1, 4, t)),
            "customer_id": ids[who],
            "opened_at": opened,
            "topic": topic,
            "channel": some(random, {"phone": 0.55, "chat": 0.28, "mail": 0.14, "letter": 0.03}, t),
            "region": region[who],
            "wait_minutes": np.round(wait, 1),
            "talk_minutes": np.round(3 + 0.9 * wait + random.gamma(2, 0.9, t), 1),
            "rating": gaps(random, random.choice([1, 2, 3, 4, 5], t, p=[0.1, 0.1, 0.2, 0.35, 0.25]), 0.3),
        }
    )
    charter = {
        "project": {"name": "Churn"},
        "prediction": {
            "problem_type": "classification",
            "target": "churned",
            "positive_class": "yes",
            "id_column": "customer_id",
            "time_column": "observed_on",
            "label_delay_days": 30,
        },
        "sources": [
            {
                "name": "crm",
                "key": "customer_id",
                "critical": ["plan", "contract", "tenure_months"],
                "columns": {"age": {"min": 18, "max": 110}, "data_gb": {"min": 0}, "tenure_months": {"min": 0}},
                "expected": {"region": list(REGIONS)},
                "date_column": "signup_date",
            },
            {
                "name": "billing",
                "table": "accounts",
                "key": "customer_id",
                "critical": ["monthly_fee"],
                "columns": {"monthly_fee": {"min": 0, "unit": "EUR"}},
            },
            {
                "name": "support",
                "key": "customer_id",
                "critical": ["opened_at", "topic"],
                "columns": {"wait_minutes": {"min": 0, "unit": "minutes"}},
                "expected": {"topic": ["network", "bill", "contract", "device", "fraud"]},
                "date_column": "opened_at",
                "fresh_within_days": 80,
                "aggregate": {"tickets": "count(*)", "longest_wait": "max(wait_minutes)"},
            },
        ],
        "join": {"base": "crm", "on": "customer_id", "how": "left"},
    }
    shared = {"key": "customer_id", "base": "crm", "target": "churned", "time_column": "observed_on"}
    pair = [("crm", "region"), ("support", "region")]
    places: dict[str, list[Place]] = {
        "critical_nulls": [("crm", "plan", {}), ("billing", "monthly_fee", {}), ("support", "topic", {})],
        "sentinel_number": [("crm", "age", {}), ("billing", "open_amount", {}), ("support", "wait_minutes", {})],
        "sentinel_date": [("crm", "signup_date", {}), ("support", "opened_at", {})],
        "token": [
            ("crm", "plan", {}), ("billing", "method", {"value": "unknown"}), ("support", "channel", {"value": "-"}),
        ],
        "blanks": [("crm", "contract", {}), ("billing", "branch", {}), ("support", "topic", {})],
        "outliers": [("crm", "data_gb", {}), ("billing", "monthly_fee", {}), ("support", "wait_minutes", {})],
        "mixed_up_rows": [
            ("crm", "minutes", {"partners": ["data_gb"]}), ("support", "talk_minutes", {"partners": ["wait_minutes"]}),
        ],
        "level_shift": [
            ("support", "wait_minutes", {"date_column": "opened_at"}),
            ("crm", "data_gb", {"date_column": "signup_date"}),
        ],
        "constant": [("crm", "autopay", {}), ("billing", "method", {}), ("support", "channel", {})],
        "near_constant": [("crm", "contract", {}), ("crm", "lines", {}), ("billing", "dunning_level", {})],
        "impossible": [("crm", "age", {}), ("billing", "monthly_fee", {}), ("support", "wait_minutes", {})],
        "entity_missing": [("crm", "region", {}), ("support", "topic", {})],
        "entity_lost": [("billing", "branch", {}), ("crm", "plan", {}), ("support", "channel", {})],
        "band_missing": [("crm", "age", {}), ("billing", "monthly_fee", {})],
        "combination_missing": [("crm", "plan", {"other": "contract"}), ("support", "topic", {"other": "channel"})],
        "time_gap": [("support", "opened_at", {})],
        "orphan_keys": [("billing", "customer_id", {}), ("support", "customer_id", {})],
        "spelt_keys": [("crm", "customer_id", {}), ("billing", "customer_id", {})],
        "repeated_keys": [("crm", "customer_id", {}), ("billing", "customer_id", {})],
        "copied_rows": [("crm", "customer_id", {}), ("support", "ticket_no", {})],
        "fan_out": [("billing", "customer_id", {})],
        "conflict": [("support", "region", shared), ("billing", "region", shared)],
        "unit_part": [
            ("billing", "monthly_fee", {}),
            ("crm", "data_gb", {}),
            ("support", "wait_minutes", {"factor": 60}),
        ],
        "unit_all": [("billing", "monthly_fee", {}), ("crm", "data_gb", {"factor": 1024})],
        "spelling": [("crm", "region", {}), ("billing", "branch", {}), ("support", "topic", {})],
        "mojibake": [("crm", "city", {}), ("billing", "region", {}), ("support", "region", {})],
        "swapped_dates": [("support", "opened_at", {})],
        "swapped_texts": [("crm", "last_upgrade", {})],
        "timezone": [("support", "opened_at", {}), ("support", "opened_at", {"hours": -7})],
        "decimal_comma": [("crm", "data_gb", {}), ("crm", "roaming_eur", {})],
        "leading_zeros": [("crm", "postal_code", {})],
        "words": [("crm", "age", {}), ("billing", "monthly_fee", {}), ("support", "wait_minutes", {})],
        "renamed": [("crm", "lines", {"new": "line_count"}), ("billing", "method", {"new": "payment"})],
        "dropped": [("crm", "lines", {}), ("billing", "dunning_level", {}), ("support", "rating", {})],
        "truncated": [("crm", "customer_id", {}), ("billing", "customer_id", {}), ("support", "ticket_no", {})],
        "late": [("support", "opened_at", {})],
        "stale": [("support", "opened_at", {})],
        "misaligned": [
            ("crm", "minutes", {"partners": [["crm", "data_gb"]]}),
            ("billing", "region", {"partners": pair}),
            ("support", "talk_minutes", {"partners": [["support", "wait_minutes"]]}),
        ],
        "leaking_feature": [("crm", "care_score", shared), ("billing", "risk_points", shared)],
        "leaking_identifier": [("crm", "customer_id", shared)],
        "leaking_date": [("crm", "status_date", shared)],
        "label_flips": [("crm", "churned", {})],
        "label_disagreement": [("crm", "churned", {**shared, "annotators": ["agent_1", "agent_2"]})],
        "label_immature": [("crm", "churned", {**shared, "delay": 30, "until": str(end + pd.Timedelta(days=31))})],
    }  # fmt: skip
    return World(
        "telecom",
        {"crm": crm, "billing": billing, "support": support},
        charter,
        {"crm": "crm.csv", "billing": "billing.sqlite", "support": "support.parquet"},
        {"crm": "signup_date", "support": "opened_at"},
        [("crm", "plan"), ("crm", "lines"), ("billing", "branch")],
        places,
        seed,
    )
