"""The gates: every question that the journey answers with pass, warn, fail or skip, and how the answer is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

Status = Literal["pass", "warn", "fail", "skip"]

# The stages in the order of the journey.
STAGES = ("eda", "poc", "explainability", "handoff")


@dataclass(frozen=True)
class Rule:
    """What a gate asks and where its limits lie by default.

    Attributes
    ----------
    id
        Starts with the stage that answers it: `eda.missing_critical`.
    requirement
        The requirement it gives evidence for, e.g. `L4a`.
    question
        In plain words.
    better
        Whether a `lower` or a `higher` value is better.
    warn, fail
        The last value that still passes, and the last that only warns. `None`: this gate never says so by itself.
    must_pass
        Whether a fail ends the journey with no-go.
    by_findings
        The value is the severity of the worst finding of the data checks: 0 remarks at most, 1 warns, 2 fails.
    timed
        The value is a measured time, or follows from one: never the same twice, so that no reference holds it.
    """

    id: str
    requirement: str
    question: str
    better: Literal["lower", "higher"]
    warn: float | None
    fail: float | None
    must_pass: bool = False
    by_findings: bool = False
    timed: bool = False

    @property
    def stage(self) -> str:
        return self.id.partition(".")[0]


RULES = (
    Rule("eda.sources", "G1", "Could every silo be read?", "lower", 0, 0, must_pass=True),
    Rule("eda.access", "G1", "Are all silos granted, none replaced by a stand-in?", "lower", 0, None),
    Rule("eda.missing_critical", "L4a", "Are the critical attributes filled in?", "lower", 0.01, 0.20, must_pass=True),
    Rule("eda.disguised_missing", "L4a", "Is nothing missing in disguise?", "lower", 0, 1, by_findings=True),
    Rule("eda.outliers", "L4b", "Are there no outliers or anomalies?", "lower", 0, 1, by_findings=True),
    Rule("eda.coverage", "L4c", "Is no kind of entity missing altogether?", "lower", 0, 1, by_findings=True),
    Rule("eda.integration", "L4d", "Do the silos say the same in the same way?", "lower", 0, 1, by_findings=True),
    Rule("eda.orphan_keys", "L4d", "Do the keys of the silos find each other?", "lower", 0.01, 0.10),
    Rule(
        "eda.duplicate_keys",
        "L4d",
        "Does every key stand for one row, so that joins do not multiply rows?",
        "lower",
        0,
        0,
    ),
    Rule(
        "eda.target",
        "P1",
        "Are there enough known outcomes to learn from and to test on?",
        "higher",
        200,
        50,
        must_pass=True,
    ),
    Rule("eda.signal", "L3", "Do the columns say anything about the outcome?", "lower", 0.01, 0.05),
    Rule("eda.more_rows", "L3", "Are there enough rows, or would more of them help?", "lower", 0.1, None),
    Rule("eda.leakage", "L3", "Is no column too good to be true?", "lower", 0, 1, by_findings=True),
    Rule("eda.labels", "L3", "Can the outcomes be trusted?", "lower", 0, 1, by_findings=True),
    Rule("poc.customer_experience", "B1", "Is it clear how customers gain, and how that is measured?", "higher", 4, 1),
    Rule(
        "poc.return_on_investment",
        "B2",
        "Is it clear how the investment returns, and how that is measured?",
        "higher",
        4,
        1,
    ),
    Rule(
        "poc.process_improvement",
        "B3",
        "Is it clear what gets more efficient, and how that is measured?",
        "higher",
        4,
        1,
    ),
    Rule("poc.feasibility", "B4", "Is all there that the project needs?", "lower", 0, 1, by_findings=True),
    Rule("poc.split", "P1", "Is the test part unknown to the training part?", "lower", 0, 0, must_pass=True),
    Rule(
        "poc.beats_baseline",
        "P1",
        "Does the model beat the constant and today's business rule?",
        "higher",
        0.975,
        0.5,
        must_pass=True,
    ),
    Rule(
        "poc.required_score", "P1", "Is the score reached that the business needs?", "higher", 0.9, 0.5, must_pass=True
    ),
    Rule("poc.optimism", "G2", "Does the score on the test part confirm the cross-validated one?", "lower", 2, 3),
    Rule("poc.reachable", "G2", "Is the required score within reach with these columns?", "lower", 0, 0),
    Rule(
        "poc.return",
        "B2",
        "Does the model earn back what it costs, against the best alternative?",
        "higher",
        0.9,
        0.5,
        must_pass=True,
    ),
    Rule("poc.robustness", "L2", "Does the model stand changes in the data that are to be expected?", "lower", 0.5, 1),
    Rule("poc.shift", "L2", "Do the held-back cases look like those that were learnt from?", "lower", 0.55, 0.65),
    Rule("poc.fairness", "L2", "Does the model serve every group?", "lower", 0.25, 0.75),
    Rule(
        "explainability.additivity",
        "T2a",
        "Do the reasons add up to the prediction?",
        "lower",
        1e-6,
        1e-6,
        must_pass=True,
    ),
    Rule("explainability.randomised", "T2a", "Do the reasons depend on what was learnt?", "lower", 0.25, 0.5),
    Rule("explainability.probe", "T2a", "Does a column of pure chance weigh little?", "lower", 0.25, 0.5),
    Rule("explainability.flips", "T2b", "Can it be said what would flip an answer?", "higher", 0.5, None),
    Rule("explainability.calibration", "T2c", "Does the model's 80 % mean 80 %?", "lower", 0.01, 0.05),
    Rule(
        "explainability.confidence",
        "T2c",
        "Is the promised confidence kept, in every group?",
        "lower",
        0.01,
        0.05,
    ),
    Rule("explainability.failures", "T2d", "Is there no kind of cases in which the model fails?", "lower", 0, 0.25),
    Rule("explainability.unfamiliar", "T2d", "Are cases like those that were learnt from?", "lower", 0.05, None),
    Rule(
        "handoff.parity", "L5", "Does the exported model decide exactly like the one that was tested?", "lower", 0, None
    ),
    Rule(
        "handoff.reload",
        "G4",
        "Does a fresh process give the same answers from the bundle alone?",
        "lower",
        0,
        0,
        must_pass=True,
    ),
    Rule("handoff.retrained", "G4", "Does training again give the same model?", "lower", 0, None),
    Rule("handoff.form", "L5", "Does the form ask for all that the model needs?", "lower", 0, None),
    Rule(
        "handoff.drill",
        "L1",
        "Does the fallback answer in a running service, whatever happens?",
        "lower",
        0,
        0,
    ),
    Rule(
        "handoff.fallback",
        "L1",
        "Is it settled, and does it work, what answers when the model cannot?",
        "lower",
        0,
        None,
    ),
    Rule(
        "handoff.fallback_cost",
        "L1",
        "Does the fallback leave most of what the model brings?",
        "lower",
        0.5,
        None,
    ),
    Rule(
        "handoff.row_independent",
        "L5",
        "Does every case get the same answer, alone and among others?",
        "lower",
        0,
        0,
        must_pass=True,
    ),
    Rule("handoff.latency", "L5", "Does the service answer fast enough?", "lower", 0.8, 1, timed=True),
    Rule("handoff.memory", "L5", "Does the service fit into its memory?", "lower", 0.8, 1, timed=True),
    Rule("handoff.throughput", "L5", "Does the service answer as many as will ask?", "lower", 0.8, 1, timed=True),
    Rule("handoff.python", "L5", "Does the bundle run on the Python of the platform?", "lower", 0, 0),
    Rule("handoff.roles", "T4", "Does every part have somebody who owns it?", "lower", 0, 1, by_findings=True),
    Rule("handoff.ml_test_score", "G4", "Is it ready for production by the ML Test Score?", "higher", 2, None),
    Rule("handoff.alerts", "G4", "Are the alerts of the monitoring as rare as stated?", "lower", 2, None),
)
CATALOGUE: dict[str, Rule] = {rule.id: rule for rule in RULES}


@dataclass(frozen=True)
class Gate:
    """The answer to one question. Field names are the contract of `verdict.json`."""

    id: str
    requirement: str
    stage: str
    must_pass: bool
    status: Status
    value: float | None
    threshold: float | None
    message: str
    evidence: str | None = None
    question: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Override(Protocol):
    """What the charter may say about a gate."""

    @property
    def warn(self) -> float | None: ...
    @property
    def fail(self) -> float | None: ...
    @property
    def must_pass(self) -> bool | None: ...


def judge(
    gate_id: str,
    value: float | None,
    message: str,
    *,
    evidence: str | None = None,
    overrides: Mapping[str, Override] | None = None,
) -> Gate:
    """Hold a measured value against the limits of a gate.

    Parameters
    ----------
    gate_id
        One of `CATALOGUE`.
    value
        What was measured. `None` or NaN means that it could not be computed: the gate is `skip`, never `pass`.
    message
        What was found, or why nothing could be, as a plain sentence.
    evidence
        Where to look: a link relative to the run folder.
    overrides
        The `gates` block of the charter.

    Returns
    -------
    Gate
        `threshold` is the limit that decided: that of `fail` for a fail, else that of `warn`.
    """
    rule = CATALOGUE[gate_id]
    override = (overrides or {}).get(gate_id)
    warn, fail, must_pass = rule.warn, rule.fail, rule.must_pass
    if override is not None:
        fail = override.fail if override.fail is not None else fail
        warn = override.warn if override.warn is not None else warn
        must_pass = override.must_pass if override.must_pass is not None else must_pass
    computed = value is not None and not math.isnan(value)
    status: Status
    if not computed:
        status, threshold = "skip", warn
    elif fail is not None and _worse(value, fail, rule.better):
        status, threshold = "fail", fail
    elif warn is not None and _worse(value, warn, rule.better):
        status, threshold = "warn", warn
    else:
        status, threshold = "pass", warn if warn is not None else fail
    return Gate(
        id=rule.id,
        requirement=rule.requirement,
        stage=rule.stage,
        must_pass=must_pass,
        status=status,
        value=float(value) if computed and value is not None else None,
        threshold=threshold,
        message=message,
        evidence=evidence,
        question=rule.question,
    )


def _worse(value: float | None, limit: float, better: str) -> bool:
    assert value is not None
    return value > limit if better == "lower" else value < limit
