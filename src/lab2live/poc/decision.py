"""Go or no-go (P2), so far: what was learnt, what would have to change, and which assumption would kill it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lab2live.charter.gates import GateResult
from lab2live.charter.schema import Charter
from lab2live.pipeline import decision as verdict
from lab2live.reporting import formatting

# What a project can do about a gate of this stage that objects.
CHANGES = {
    "poc.customer_experience": "Agree with the owner on a measure, its current value and a target.",
    "poc.return_on_investment": "Agree with the owner on a measure, its current value and a target.",
    "poc.process_improvement": "Agree with the owner on a measure, its current value and a target.",
    "poc.feasibility": "Settle what stands in the way before anything else is built.",
    "poc.split": "Answer what is asked: name prediction.group_column or time_column. Until then no score is sure.",
    "poc.beats_baseline": "Stay with what there is, or bring columns that know more about the outcome.",
    "poc.required_score": "Bring columns that know more, or ask whether a lower score would still pay.",
    "poc.generalization_gap": "With another seed the same? Then look for copies, and for choices made on the test set.",
    "poc.ceiling": "Ask for columns that know more, or for a promise that these can keep.",
    "poc.net_benefit": "Change what decides the net benefit (see each assumption), or stay with the best alternative.",
    "poc.robustness": "Watch the column or source that hurts most, and give the model a fallback for when it fails.",
    "poc.shift": "Find out why the held-back cases differ; learn from cases like those that will come.",
    "poc.fairness": "Collect cases of the group that is served worst, or leave its decisions to people.",
}
# What stands in the way in other stages, or in the data themselves, stands among the reasons.
NOTHING = "Nothing failed here. If conditions are named above, they remain."


def as_things_stand(
    charter: Charter, gates: Sequence[GateResult], upstream: Sequence[Mapping[str, Any]], sampled: bool
) -> tuple[str, list[str]]:
    """Apply the rule of the verdict to what is known after this stage.

    Parameters
    ----------
    charter
        Says whether the data are real.
    gates
        Of this stage.
    upstream
        The gates of the data stage as its results hold them; empty if it has not run.
    sampled
        Whether only a part of the cases was looked at.

    Returns
    -------
    decision, reasons
        See `verdict.decide`.
    """
    everything = [*(GateResult(**gate) for gate in upstream), *gates]
    return verdict.decide(everything, stand_ins=charter.stand_ins, demo=charter.is_demo, sampled=sampled)


def changes(gates: Sequence[GateResult]) -> pd.DataFrame:
    """List what would have to change: for every gate of this stage that objects, or that must pass and says nothing.

    Those that decide come first. Where there are none, one line says that other stages may have conditions all the
    same.
    """
    order = ["fail", "skip", "warn"]
    objecting = [gate for gate in gates if gate.status in order and (gate.must_pass or gate.status != "skip")]
    objecting.sort(key=lambda gate: (order.index(gate.status), not gate.must_pass))
    lines = [
        {"": formatting.status(gate.status), "what": gate.question, "what would have to change": _change(gate)}
        for gate in objecting
    ]
    nothing = {"": formatting.status("pass"), "what": "This stage", "what would have to change": NOTHING}
    return pd.DataFrame(lines or [nothing])


def _change(gate: GateResult) -> str:
    return CHANGES[gate.id] if gate.status != "skip" else f"It has to be answered. {gate.message}"


def sentence(decision: str, reasons: Sequence[str]) -> str:
    """Say how things stand in one sentence, and why."""
    says = {
        "go": "As things stand after this stage, it is a go",
        "conditional": "As things stand after this stage, it is a go on conditions",
        "no-go": "As things stand after this stage, it is a no-go",
    }[decision]
    more = f" And {len(reasons) - 3} more." if len(reasons) > 3 else ""
    return f"{says}: {' '.join(reasons[:3])}{more}"


def kept(**said: str) -> list[str]:
    """Give what other projects can learn from this one (G3): every sentence that says something."""
    return [f"{name.replace('_', ' ')}: {text}" for name, text in said.items() if text]
