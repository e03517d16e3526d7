"""The ML Test Score: its 28 tests in four sections, and what in a run proves each of them.

Breck, Cai, Nielsen, Salib and Sculley (2017), "The ML Test Score: A Rubric for ML Production Readiness and Technical
Debt Reduction", IEEE Big Data. The tests are theirs, the words are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lab2live.handoff.people import roles
from lab2live.handoff.people.findings import Findings

SECTIONS = ("data", "model", "infrastructure", "monitoring")
# From which score on what can be said; the bands are the paper's.
BANDS = (
    (5.0, "exceptional: tested and watched by machines in every respect"),
    (3.0, "strong: fit for what a business depends on"),
    (2.0, "reasonably tested, with steps left that machines could take over"),
    (1.0, "a first pass at production; more work is needed"),
    (0.0, "not wholly untested, but serious holes are likely"),
)
RESEARCH = "a research project rather than something for production"


@dataclass(frozen=True)
class Item:
    """One of the tests.

    Attributes
    ----------
    section, what
        Where it stands, and what it asks.
    gates
        That together test it by machine in every run; all of them have to be computed.
    by_hand
        What was done or settled by hand, or is written down without a limit to hold it against: a sentence, or empty.
    lacks
        What would be needed for (more) points.
    """

    section: str
    what: str
    gates: tuple[str, ...] = ()
    by_hand: Callable[[Findings], str] = lambda found: ""
    lacks: str = ""


def _weak_columns(found: Findings) -> str:
    weak = found.found("explainability", "no_heavier_than_chance")
    if not isinstance(weak, list):
        return ""
    named = ", ".join(map(str, weak)) or "none"
    return f"Columns no heavier than pure chance are listed ({named}); no gate asks that there be none."


def _privacy(found: Findings) -> str:
    if any(source.personal_data is None for source in found.charter.sources):
        return ""
    return "The charter says of every source whether it is personal; where it is, no real case leaves in the bundle."


def _review(found: Findings) -> str:
    others = [who for role, who in roles.signers(found.charter) if who and role != "data_scientist"]
    if not others:
        return ""
    return f"{', '.join(others)} sign for the model by its hashes; that its code was reviewed, no gate can see."


def _tuned(found: Findings) -> str:
    tuned = found.found("poc", "tuning")
    fits = tuned.get("fits") if isinstance(tuned, Mapping) else None
    return f"{fits} settings were compared; which, is in results/poc.json. No gate judges it." if fits else ""


def _aged(found: Findings) -> str:
    aged = found.found("poc", "staleness")
    if not isinstance(aged, Mapping) or not aged.get("ages"):
        return ""
    return "The loss of score with age was measured, see 02_poc. No gate limits it."


def _drilled(found: Findings) -> str:
    if not found.computed("handoff.fault_injection"):
        return ""
    return "Before it serves anybody, the bundle answers real cases in a service of its own; no part of the live cases."


def _rolled_back(found: Findings) -> str:
    return _measured(found, "rollback_seconds", "Going back to the bundle before was done in a running service")


def _measured(found: Findings, name: str, words: str) -> str:
    capacity: Any = found.found("handoff", "capacity")
    seconds = capacity.get(name) if isinstance(capacity, Mapping) else None
    return f"{words} and timed, see the runbook; no gate limits it." if seconds is not None else ""


def _watched(words: str) -> Callable[[Findings], str]:
    def said(found: Findings) -> str:
        if not found.computed("handoff.alerts"):
            return ""
        return f"05_monitoring {words} batch by batch, once somebody runs it on a schedule; no gate of this run can."

    return said


ITEMS = (
    Item(
        "data",
        "What is to be expected of every input is written down as a schema, and held against what comes",
        ("eda.outliers", "eda.integration", "handoff.input_schema", "handoff.fault_injection"),
    ),
    Item(
        "data",
        "Every input earns its place",
        by_hand=_weak_columns,
        lacks="drop columns no heavier than chance, and compare the scores",
    ),
    Item(
        "data",
        "No input costs more than it brings",
        lacks="state what each source costs, and hold it against what the score loses without it",
    ),
    Item("data", "Inputs keep to what is allowed: no source without consent, none that knows the outcome",
         ("eda.access", "eda.leakage")),
    Item(
        "data",
        "Personal data are protected on their way",
        by_hand=_privacy,
        lacks="say of every source whether it is personal (sources: personal_data), and test who can read it",
    ),
    Item("data", "A new input can be added quickly", lacks="add one as an exercise, and note how long it took"),
    Item("data", "The code that makes inputs is tested", ("handoff.input_schema", "handoff.row_invariance")),
    Item(
        "model",
        "Somebody else has reviewed the model before it was checked in",
        by_hand=_review,
        lacks="have the code reviewed by somebody who did not write it, and let them sign off (team: signs_off)",
    ),
    Item(
        "model",
        "What is measured offline moves with what the business sees",
        lacks="compare the realised value with the score over several batches, once outcomes arrive",
    ),
    Item("model", "All settings were tuned", by_hand=_tuned, lacks="give the ladder a budget of settings to compare"),
    Item(
        "model",
        "It is known how fast the model ages",
        by_hand=_aged,
        lacks="name a time column (prediction.time_column) with enough periods",
    ),
    Item("model", "A simpler model is not as good", ("poc.beats_baseline",)),
    Item("model", "It is good enough for every kind of cases that matters", ("explainability.error_slices",)),
    Item(
        "model",
        "Nobody is left out or served worse",
        ("poc.fairness",),
        lacks="name the sensitive columns (prediction.sensitive)",
    ),
    Item("infrastructure", "Training twice gives the same model", ("handoff.retrained",)),
    Item(
        "infrastructure",
        "The code of the model has unit tests",
        lacks="test features.py and rules.py in the project's tests; a run cannot see whether that is done",
    ),
    Item(
        "infrastructure",
        "The whole way from the data to served answers is tested in one go",
        ("eda.sources", "poc.split", "handoff.reload", "handoff.fault_injection"),
    ),
    Item(
        "infrastructure",
        "The quality of a model is checked before it is served",
        ("poc.required_score", "handoff.parity"),
        lacks="state the score that is needed (prediction.required_score)",
    ),
    Item(
        "infrastructure",
        "How it comes to a single answer can be followed step by step",
        ("explainability.additivity", "explainability.shadow_features"),
    ),
    Item(
        "infrastructure",
        "A new model first serves a small part of the live cases",
        by_hand=_drilled,
        lacks="send a share of the live cases to the new bundle first",
    ),
    Item(
        "infrastructure",
        "Serving can go back to the model before",
        by_hand=_rolled_back,
        lacks="measure it (04_handoff: capacity)",
    ),
    Item("monitoring", "Somebody is told when what it depends on changes",
         lacks="let the owners of the sources announce changes, and hold versions against the lock"),
    Item("monitoring", "Broken inputs are noticed in training and in serving",
         ("eda.integration", "handoff.fault_injection", "handoff.alerts")),
    Item("monitoring", "Serving computes the same inputs as training", ("handoff.input_schema", "handoff.parity")),
    Item("monitoring", "A model that is too old is noticed", by_hand=_watched("looks at the age of the model")),
    Item("monitoring", "Impossible and extreme inputs give no nonsense", ("handoff.parity", "handoff.fault_injection")),
    Item(
        "monitoring",
        "Slower answers, more memory and less throughput are noticed",
        ("handoff.latency", "handoff.memory", "handoff.throughput"),
        lacks="state what is allowed (deployment: latency_ms, memory_mb, requests_per_second)",
    ),
    Item(
        "monitoring",
        "Worse answers on served cases are noticed",
        by_hand=_watched("compares answers with outcomes as they arrive,"),
    ),
)  # fmt: skip
