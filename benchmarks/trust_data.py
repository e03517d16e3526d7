"""The data on which the four questions of trust are measured: a simulated churn and doctor visits that happened."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter

ROWS = 20_000
MONEY = {"true_positive": 120, "false_positive": -20, "false_negative": 0, "true_negative": 0}
# What a customer cannot change, what can only grow, and what follows from other columns.
IMMUTABLE = ["age", "region"]
DIRECTION = {"tenure": "increase"}
DERIVED = {"yearly_bill": "12 * bill", "bill_per_line": "bill / lines"}


def churn(seed: int, rows: int = ROWS) -> pd.DataFrame:
    """Draw 15 columns of telecom customers and whether they left, about 17 % of them."""
    random = np.random.default_rng(seed)
    contract = random.choice(["monthly", "one_year", "two_years"], rows, p=[0.5, 0.3, 0.2])
    payment = random.choice(["card", "transfer", "cash"], rows, p=[0.5, 0.35, 0.15])
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "region": random.choice(["north", "south", "east", "west"], rows),
            "tenure": np.round(random.gamma(2.0, 14.0, rows)),
            "contract": contract,
            "payment": payment,
            "bill": np.round(random.gamma(6.0, 9.0, rows) + 10, 2),
            "lines": random.integers(1, 5, rows),
            "calls": random.poisson(1.2, rows),
            "wait": np.round(random.exponential(6.0, rows), 1),
            "usage": np.round(random.lognormal(3.0, 0.6, rows), 1),
            "late": random.poisson(0.3, rows),
            "discount": np.round(random.beta(1.5, 6.0, rows), 2),
            "device_age": np.round(random.gamma(2.0, 10.0, rows), 1),
        }
    )
    frame["yearly_bill"] = 12 * frame["bill"]
    frame["bill_per_line"] = frame["bill"] / frame["lines"]
    margin = (
        -3.1
        + 1.5 * (contract == "monthly")
        - 0.02 * frame["tenure"]
        + 0.025 * (frame["bill"] - 64)
        + 0.35 * frame["calls"]
        + 0.03 * frame["wait"] * (frame["calls"] > 1)
        + 0.6 * (payment == "cash")
        + 0.5 * frame["late"]
        - 2.0 * frame["discount"]
        + 0.015 * frame["device_age"]
    )
    left = random.random(rows) < 1 / (1 + np.exp(-margin))
    return frame.assign(left=np.where(left, "yes", "no"))


def spend(seed: int, rows: int = ROWS) -> pd.DataFrame:
    """Draw the same customers and what they spend, a number whose noise is skewed and grows with its level."""
    frame = churn(seed, rows).drop(columns="left")
    random = np.random.default_rng([seed, 1])
    level = 20 + 0.8 * frame["bill"] + 0.3 * frame["usage"] + 8 * frame["late"] + 10 * (frame["contract"] == "monthly")
    return frame.assign(left=np.round(level * random.gamma(8.0, 1 / 8.0, rows), 2))


def visits(count: bool = False) -> pd.DataFrame:
    """Give the RAND health insurance experiment: 20,190 people, and whether somebody saw no doctor, or how often.

    Shipped with statsmodels; Deb and Trivedi (2002), "The structure of demand for health care".
    """
    from statsmodels.datasets import randhie

    frame = randhie.load_pandas().data
    outcome = frame["mdvis"].astype(float) if count else np.where(frame["mdvis"] > 0, "no", "yes")
    return frame.drop(columns="mdvis").assign(left=outcome)


def charter_of(problem_type: str = "classification") -> Charter:
    """Give the charter under which they are asked."""
    classes = problem_type == "classification"
    return Charter(
        business={"value": {"per_case": MONEY}},  # type: ignore[arg-type]
        prediction={  # type: ignore[arg-type]
            "problem_type": problem_type, "target": "left", "positive_class": "yes" if classes else None,
            "immutable": IMMUTABLE, "direction": DIRECTION, "derived": DERIVED,
        },
        sources=[{"name": "cases", "uri": "cases.csv"}],  # type: ignore[list-item]
    )  # fmt: skip
