"""What goes into the model and what comes out: the bundle's `contract.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import MISSING, day
from lab2live.data.splits import Split
from lab2live.pipeline import hooks
from lab2live.poc.worth import value
from lab2live.poc.worth.value import Policy
from lab2live.reporting import formatting

# Milliseconds.
LEAST_TIME_OUT = 500.0
COMPUTED = "computed by the project, not to be sent"


def describe(charter: Charter, data: Dataset, split: Split, policy: Policy) -> dict[str, Any]:
    """Write what goes into the model and what comes out, as `contract.json` holds it.

    Parameters
    ----------
    charter, data, split
        What is predicted, and from what.
    policy
        How answers become decisions.
    """
    known = data.outcome[split.train]
    baseline = int(np.bincount(known).argmax()) if data.problem == "multiclass" else float(known.mean())
    return {
        "problem": data.problem,
        "target": charter.prediction.target,
        "classes": list(data.classes),
        "threshold": policy.threshold if data.problem == "binary" else None,
        "why": value.threshold_sentence(charter, policy),
        "baseline": baseline,
        "fallback": {"policy": charter.answerers, "rule_line": _rule_line(charter, data, split)},
        "limits": {"time_out_ms": time_out(charter)},
        "inputs": _inputs(charter, data, split.train),
    }


def time_out(charter: Charter) -> float:
    """Say after how many milliseconds a request is answered without the model.

    Twice what the charter allows 95 of 100 answers, not less than a busy machine may need for any, and no more than a
    second, also where it says nothing.
    """
    allowed = charter.deployment.latency_ms
    return 1000.0 if allowed is None else min(max(2 * allowed, LEAST_TIME_OUT), 1000.0)


def _rule_line(charter: Charter, data: Dataset, split: Split) -> float | None:
    """Learn from which score of the business rule on to act; nothing where there is no rule, or no line."""
    rule = hooks.rule(charter)
    if rule is None or data.problem != "binary":
        return None
    scores = np.asarray(rule(data.raw.iloc[split.train]), dtype=float)
    return value.learn_policy(charter, "binary", data.outcome[split.train], scores, probabilities=False).threshold


def _inputs(charter: Charter, data: Dataset, train: np.ndarray) -> list[dict[str, Any]]:
    """Write the input contract: per column its kind, who gives it, if it may be empty, and what it was trained on."""
    contract = []
    seen, computed = data.inputs.iloc[train], data.computed | charter.prediction.derived.keys()
    for name, kind in data.columns.kinds.items():
        column = seen[name]
        entry: dict[str, Any] = {"name": name, "kind": kind, "computed": name in computed}
        if kind == "category":
            entry |= {"nullable": bool((column == MISSING).any()), "categories": list(data.columns.levels[name])}
        else:
            entry |= {"nullable": bool(column.isna().any()), "min": float(column.min()), "max": float(column.max())}
        contract.append(entry)
    return contract


def sent(entry: Mapping[str, Any]) -> bool | str:
    """Say whether an input may be sent empty, or that it is not to be sent at all."""
    return COMPUTED if entry.get("computed") else bool(entry["nullable"])


def table(contract: dict[str, Any]) -> pd.DataFrame:
    """Show the inputs of a contract."""
    return pd.DataFrame(
        [
            {
                "column": entry["name"],
                "kind": entry["kind"],
                "may be empty": sent(entry),
                "from": bound(entry, "min"),
                "to": bound(entry, "max"),
                "categories": ", ".join(entry.get("categories", [])),
            }
            for entry in contract["inputs"]
        ]
    )


def bound(entry: Mapping[str, Any], name: str) -> str:
    """Write the smallest or largest value seen in training; a date as a date, not as the number models take."""
    end = entry.get(name)
    if end is None:
        return ""
    return day(end) if entry["kind"] == "date" else formatting.short(end)
