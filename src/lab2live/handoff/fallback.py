"""What answers when the model cannot (L1): the charter's policy, and whether it works on real cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Trigger
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.deciding import MODEL, settled
from lab2live.pipeline.evidence import Evidence

TRIGGERS: dict[str, str] = {
    "invalid_input": "the input breaks the contract",
    "out_of_distribution": "the model has never seen anything like it",
    "low_confidence": "the model is not sure enough",
    "model_error": "the model fails",
    "time_out": "the model takes too long",
    "integrity": "the model's file is missing or was changed",
    "drift": "the data are declared to have drifted",
}
assert set(TRIGGERS) == set(get_args(Trigger))
NOT_SETTLED = "not settled"
NOTHING_SETTLED = "The charter settles no fallback at all"


@dataclass(frozen=True)
class Plan:
    """One trigger and what happens then. `works` is `None` where nothing is settled or a person answers."""

    trigger: str
    when: str
    answer: str
    works: bool | None
    note: str


def otherwise(trigger: str) -> str:
    """Say what becomes of a case after a trigger for which the charter settles nothing."""
    return "the model answers all the same" if settled({}, trigger) == MODEL else "a person has to decide"


def plans(charter: Charter, bundle: Bundle, raw: pd.DataFrame) -> list[Plan]:
    """Look up what the charter wants per trigger, and let the business rule answer real cases from the bundle.

    Parameters
    ----------
    charter
        Its `fallback` block.
    bundle
        Holds the rule that would answer, and the baseline.
    raw
        Cases to try it on.
    """
    rule_problem = _problem_of_rule(bundle, raw) or _problem_of_rule(bundle, _with_nothing(raw))
    baseline = bundle.contract.get("baseline")
    found = []
    for trigger, when in TRIGGERS.items():
        answer = charter.answerers.get(trigger)
        if answer is None:
            found.append(Plan(trigger, when, NOT_SETTLED, None, f"the charter says nothing: {otherwise(trigger)}"))
        elif answer == "review":
            found.append(Plan(trigger, when, answer, None, "a person decides"))
        elif answer == "baseline":
            found.append(Plan(trigger, when, answer, baseline is not None, f"always {baseline}"))
        else:
            note = rule_problem or f"answered {len(raw):,} of {len(raw):,} cases, and one with nothing in it"
            found.append(Plan(trigger, when, answer, not rule_problem, note))
    return found


def _problem_of_rule(bundle: Bundle, raw: pd.DataFrame) -> str:
    try:
        answers = np.asarray(bundle.rule(raw))
    except Exception as error:  # the user's code, or no rule at all
        return f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"
    if answers.shape != (len(raw),):
        return f"an answer of shape {answers.shape} for {len(raw):,} cases"
    empty = int(pd.isna(answers).sum())
    return f"no answer for {empty:,} of {len(raw):,} cases" if empty else ""


def _with_nothing(raw: pd.DataFrame) -> pd.DataFrame:
    """Give one case of which nothing is known: a fallback is asked exactly when the input is no good."""
    return pd.DataFrame([dict.fromkeys(raw.columns)])


def table(plans: Sequence[Plan]) -> pd.DataFrame:
    """Show the policy, one trigger a line."""
    return pd.DataFrame([{"when": plan.when, "who answers": plan.answer, "tried": plan.note} for plan in plans])


def unsettled(charter: Charter, plans: Sequence[Plan]) -> Evidence:
    """Count the triggers for which nothing is settled, or what is settled does not work."""
    shown = table(plans)
    kept = {"fallback": shown.to_dict("records")}
    if not charter.fallback:
        return Evidence(None, f"{NOTHING_SETTLED}.", shown, data=kept)
    broken = [plan for plan in plans if plan.works is False or plan.answer == NOT_SETTLED]
    said = "; ".join(f"{plan.trigger}: {plan.answer}, {plan.note}" for plan in broken)
    said = said or f"Settled for all {len(plans)} triggers, and the rule answers every case it was tried on."
    return Evidence(len(broken), said, shown, data=kept)
