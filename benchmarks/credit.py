"""A credit book: applications, what a bureau said, payments from the statements."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from worlds import (
    EVENINGS,
    OFFICE,
    REGIONS,
    Place,
    World,
    at_hours,
    codes,
    days_of,
    gaps,
    intercept,
    sigmoid,
    slashes,
    some,
)

BANKS = {
    "Société Générale": 0.22, "Crédit Agricole": 0.2, "Bank Śląski": 0.16, "Sparkasse Köln": 0.16,
    "Caixa Económica": 0.1, "Bank of Ireland": 0.09, "Österreichische Post": 0.05, "Nordea": 0.02,
}  # fmt: skip
JOBS = {"employee": 0.55, "civil servant": 0.12, "self-employed": 0.16, "retired": 0.1, "student": 0.05, "other": 0.02}
PURPOSES = {
    "car": 0.3, "furniture": 0.2, "refinance": 0.25, "travel": 0.12, "education": 0.08, "medical": 0.05,
}  # fmt: skip
SHOPS = {"Bäckerei Süß": 0.3, "Café Noir": 0.3, "Münzhandel": 0.2, "Kiosk": 0.2}


def credit(seed: int, today: dt.date | None = None) -> World:
    """Loan applications of a year and a half, what a bureau said about them, and payments from the statements."""
    random = np.random.default_rng([seed, 2])
    end = pd.Timestamp(today or dt.date.today()) - pd.Timedelta(days=93)
    n = int(random.integers(3000, 6000))
    ids = np.array([f"a{value:07x}k" for value in random.choice(16**7, n, replace=False)], dtype=object)
    applied = pd.Series(
        np.sort(at_hours(random, days_of(random, n, end - pd.Timedelta(days=540), end, 0.4, 0.5), EVENINGS))
    )
    region = some(random, REGIONS, n)
    employment = some(random, JOBS, n)
    income = random.lognormal(7.8, random.uniform(0.4, 0.5), n) * np.where(employment == "student", 0.5, 1.0)
    amount = np.round(np.exp(0.6 * np.log(income) + random.normal(4.2, 0.45, n)), -1).clip(500)
    term = random.choice([12, 24, 36, 48, 60, 84], n, p=[0.12, 0.2, 0.25, 0.2, 0.15, 0.08])
    rate = random.normal(0.068, 0.01, n).clip(0.03, 0.12)
    instalment = np.round(amount / term * (1 + rate * term / 24), 2)
    age = (19 + random.gamma(4.5, 5.5, n)).clip(18, 88).round()
    score = (690 + 60 * random.normal(size=n) + 12 * (np.log(income) - 7.8) / 0.4).clip(300, 850).round()
    used = random.beta(2, 4, n)
    debt = np.where(random.random(n) < 0.3, 0.0, np.round(random.lognormal(8, 1.1, n), 2))
    burden = instalment / income
    purpose = some(random, PURPOSES, n)
    channel = some(random, {"online": 0.5, "branch": 0.33, "broker": 0.17}, n)
    margin = 1.5 * (
        -0.016 * (score - 690)
        + 2.6 * used
        + 4.0 * np.minimum(burden, 0.8)
        + 1.1 * (employment == "self-employed")
        - 1.3 * (employment == "civil servant")
        + 0.8 * (channel == "broker")
        + 0.7 * (purpose == "refinance")
        - 0.03 * (age - 42)
    )
    defaulted = random.random(n) < sigmoid(margin + intercept(margin, random.uniform(0.09, 0.14)))
    applications = pd.DataFrame(
        {
            "application_id": ids,
            "applied_at": applied,
            "branch_code": codes(random, n, 4, 90),
            "region": region,
            "channel": channel,
            "purpose": purpose,
            "employment": employment,
            "age": age,
            "income": np.round(income, 2),
            "amount": amount,
            "instalment": instalment,
            "term_months": term,
            "dependants": gaps(random, random.poisson(0.8, n), 0.05),
            "defaulted": defaulted.astype(int),
        }
    )
    for reviewer in ("reviewer_1", "reviewer_2"):
        wrong = random.random(n) < 0.01
        applications[reviewer] = np.where(wrong, 1 - applications["defaulted"], applications["defaulted"])
    opened = applied - pd.to_timedelta(random.gamma(2, 1300, n).clip(100, 9000), unit="D")
    bureau = pd.DataFrame(
        {
            "application_id": ids,
            "pulled_at": (applied - pd.to_timedelta(random.gamma(3, 4, n), unit="m")).dt.floor("s"),
            "region": region,
            "bank": some(random, BANKS, n),
            "bank_code": codes(random, n, 6, 400),
            "file_opened": slashes(opened),
            "score": score.astype(int),
            "open_accounts": random.poisson(1 + 4 * used, n),
            "utilisation": np.round(used, 3),
            "debt": debt,
        }
    )
    pulls = random.poisson(random.gamma(2.0, 2.0, n))
    who = np.repeat(np.arange(n), pulls)
    day = applied.iloc[who].dt.normalize() - pd.to_timedelta(
        random.choice([1, 2, 3], len(who), p=[0.6, 0.25, 0.15]), unit="D"
    )
    keep = (day <= end - pd.Timedelta(days=4)).to_numpy()
    who, day = who[keep], day[keep]
    booked = at_hours(random, pd.DatetimeIndex(day), OFFICE)
    order = np.argsort(booked.to_numpy(), kind="stable")
    who, booked = who[order], booked[order]
    kind = some(random, {"card": 0.5, "transfer": 0.25, "rent": 0.12, "salary": 0.1, "cash": 0.03}, len(who))
    usual = pd.Series(kind).map({"card": 3.3, "transfer": 4.5, "rent": 6.7, "salary": 7.7, "cash": 4.2}).to_numpy(float)
    paid = np.round(random.lognormal(usual, 0.5), 2)
    payments = pd.DataFrame(
        {
            "application_id": ids[who],
            "booked_at": booked,
            "kind": kind,
            "card_scheme": some(random, {"Visa": 0.5, "Mastercard": 0.35, "Girocard": 0.13, "Amex": 0.02}, len(who)),
            "amount": paid,
            "balance": np.round(random.normal(2.2, 0.12, len(who)) * paid + random.normal(0, 3, len(who)), 2),
            "shop": gaps(random, some(random, SHOPS, len(who)), 0.1),
        }
    )  # fmt: skip
    charter = {
        "project": {"name": "Defaults"},
        "prediction": {
            "problem_type": "classification",
            "target": "defaulted",
            "positive_class": 1,
            "id_column": "application_id",
            "time_column": "applied_at",
            "label_delay_days": 90,
            "annotators": ["reviewer_1", "reviewer_2"],
            "sensitive": ["age"],
        },
        "sources": [
            {
                "name": "applications",
                "key": "application_id",
                "critical": ["income", "amount", "employment"],
                "columns": {
                    "age": {"min": 18, "max": 110, "unit": "years"},
                    "income": {"min": 0, "unit": "EUR"},
                    "amount": {"min": 100, "unit": "EUR"},
                },
                "expected": {"region": list(REGIONS), "channel": ["online", "branch", "broker"]},
                "date_column": "applied_at",
                "fresh_within_days": 130,
            },
            {
                "name": "bureau",
                "key": "application_id",
                "critical": ["score"],
                "columns": {"score": {"min": 250, "max": 900}, "utilisation": {"min": 0}, "debt": {"min": 0}},
                "expected": {"bank": list(BANKS)},
                "date_column": "pulled_at",
                "fresh_within_days": 130,
            },
            {
                "name": "payments",
                "table": "bookings",
                "key": "application_id",
                "critical": ["amount", "kind"],
                "columns": {"amount": {"min": 0, "unit": "EUR"}},
                "expected": {"kind": ["card", "transfer", "rent", "salary", "cash"]},
                "date_column": "booked_at",
                "fresh_within_days": 130,
                "aggregate": {"bookings": "count(*)", "mean_paid": "avg(amount)"},
            },
        ],
        "join": {"base": "applications", "on": "application_id", "how": "left"},
    }
    shared = {"key": "application_id", "base": "applications", "target": "defaulted", "time_column": "applied_at"}
    extract = {"until": str(end + pd.Timedelta(days=93))}
    times = [["applications", "applied_at"], ["bureau", "pulled_at"]]
    places: dict[str, list[Place]] = {
        "critical_nulls": [("applications", "income", {}), ("bureau", "score", {}), ("payments", "kind", {})],
        "sentinel_number": [
            ("applications", "income", {}),
            ("bureau", "open_accounts", {}),
            ("payments", "amount", {}),
        ],
        "sentinel_date": [
            ("applications", "applied_at", {}),
            ("payments", "booked_at", {}),
            ("bureau", "pulled_at", {}),
        ],
        "token": [
            ("bureau", "bank", {}),
            ("applications", "purpose", {"value": "n/a"}),
            ("payments", "shop", {"value": "none"}),
        ],
        "blanks": [("bureau", "bank", {}), ("applications", "employment", {}), ("payments", "card_scheme", {})],
        "outliers": [("applications", "income", {}), ("bureau", "debt", {}), ("applications", "instalment", {})],
        "mixed_up_rows": [
            ("payments", "balance", {"partners": ["amount"]}),
            ("applications", "instalment", {"partners": ["amount", "term_months"]}),
        ],
        "level_shift": [
            ("applications", "income", {"date_column": "applied_at"}),
            ("payments", "amount", {"date_column": "booked_at"}),
            ("bureau", "utilisation", {"date_column": "pulled_at"}),
        ],
        "constant": [("applications", "channel", {}), ("bureau", "open_accounts", {}), ("payments", "card_scheme", {})],
        "near_constant": [("applications", "purpose", {}), ("bureau", "utilisation", {}), ("payments", "kind", {})],
        "impossible": [("applications", "age", {}), ("bureau", "score", {}), ("payments", "amount", {})],
        "entity_missing": [("applications", "region", {}), ("bureau", "bank", {}), ("payments", "kind", {})],
        "entity_lost": [("applications", "purpose", {}), ("bureau", "region", {}), ("payments", "card_scheme", {})],
        "band_missing": [("applications", "age", {}), ("bureau", "score", {}), ("applications", "income", {})],
        "combination_missing": [
            ("applications", "channel", {"other": "purpose"}), ("payments", "kind", {"other": "card_scheme"}),
        ],
        "time_gap": [("applications", "applied_at", {}), ("payments", "booked_at", {}), ("bureau", "pulled_at", {})],
        "orphan_keys": [("bureau", "application_id", {}), ("payments", "application_id", {})],
        "spelt_keys": [("applications", "application_id", {}), ("bureau", "application_id", {})],
        "repeated_keys": [("applications", "application_id", {}), ("bureau", "application_id", {})],
        "copied_rows": [("applications", "application_id", {}), ("payments", "application_id", {})],
        "fan_out": [("bureau", "application_id", {})],
        "conflict": [("bureau", "region", shared), ("applications", "region", shared)],
        "unit_part": [("applications", "income", {}), ("payments", "amount", {}), ("applications", "amount", {})],
        "unit_all": [("applications", "income", {}), ("bureau", "debt", {}), ("payments", "amount", {})],
        "spelling": [("applications", "purpose", {}), ("bureau", "bank", {}), ("payments", "kind", {})],
        "mojibake": [("bureau", "bank", {}), ("applications", "region", {}), ("payments", "shop", {})],
        "swapped_dates": [
            ("applications", "applied_at", {}),
            ("payments", "booked_at", {}),
            ("bureau", "pulled_at", {}),
        ],
        "swapped_texts": [("bureau", "file_opened", {})],
        "timezone": [
            ("payments", "booked_at", {"hours": 8}), ("bureau", "pulled_at", {"hours": 2, "partners": times}),
        ],
        "decimal_comma": [("bureau", "utilisation", {}), ("bureau", "debt", {})],
        "leading_zeros": [("applications", "branch_code", {}), ("bureau", "bank_code", {})],
        "words": [("applications", "income", {}), ("bureau", "score", {}), ("payments", "amount", {})],
        "renamed": [("applications", "dependants", {"new": "children"}), ("bureau", "bank", {"new": "house_bank"})],
        "dropped": [("applications", "purpose", {}), ("bureau", "utilisation", {}), ("payments", "shop", {})],
        "truncated": [
            ("applications", "application_id", {}),
            ("bureau", "application_id", {}),
            ("payments", "application_id", {}),
        ],
        "late": [("applications", "applied_at", {}), ("payments", "booked_at", {})],
        "stale": [("applications", "applied_at", {}), ("payments", "booked_at", {})],
        "misaligned": [
            ("applications", "instalment", {"partners": [["applications", "amount"], ["applications", "term_months"]]}),
            ("bureau", "region", {"partners": [["applications", "region"]]}),
            ("payments", "balance", {"partners": [["payments", "amount"]]}),
        ],
        "leaking_feature": [("applications", "file_status", shared), ("bureau", "watch_points", shared)],
        "leaking_identifier": [("applications", "application_id", shared)],
        "leaking_date": [("applications", "last_contact", shared)],
        "label_flips": [("applications", "defaulted", {})],
        "label_disagreement": [("applications", "defaulted", {**shared, "annotators": ["reviewer_1", "reviewer_2"]})],
        "label_immature": [
            ("applications", "defaulted", {**shared, **extract, "delay": 90, "along": ["bureau", "payments"]}),
        ],
    }  # fmt: skip
    return World(
        "credit",
        {"applications": applications, "bureau": bureau, "payments": payments},
        charter,
        {"applications": "applications.parquet", "bureau": "bureau.csv", "payments": "payments.sqlite"},
        {"applications": "applied_at", "bureau": "pulled_at", "payments": "booked_at"},
        [("applications", "dependants"), ("bureau", "open_accounts")],
        places,
        seed,
    )
