"""When not to follow the model, and what machine learning cannot do here (T1): in words, from what the run found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab2live.charter.gates import GateResult
from lab2live.charter.metrics import METRICS
from lab2live.handoff.answering import WHO
from lab2live.handoff.fallback import otherwise
from lab2live.handoff.people.counting import Counts
from lab2live.handoff.people.findings import Findings
from lab2live.poc.change.staleness import Staleness
from lab2live.reporting.formatting import agree, amount, plain

# Sentences of one kind that are told, and columns that are named.
MOST, MOST_COLUMNS = 4, 12


@dataclass(frozen=True)
class Point:
    """One thing to know.

    Attributes
    ----------
    title
        In a few words.
    texts
        What was found; or why nothing is known.
    known
        Whether it was looked at.
    """

    title: str
    texts: tuple[str, ...]
    known: bool = True


def distrust(found: Findings, counted: Counts | None) -> list[Point]:
    """Say when not to follow the model; what nobody has looked at is said, and not left out."""
    return [
        _listed("Kinds of cases in which it fails", found, "failures", "explainability.error_slices"),
        _listed("Kinds of cases that are hard to tell", found, "hardest", "explainability.error_slices"),
        _gated("Cases unlike those it learnt from", found, "explainability.out_of_distribution", "out_of_distribution"),
        _unsure(found, counted),
        _gated("Groups of people that it may serve worse", found, "poc.fairness"),
        _gated("Groups for which it is less sure than it says", found, "explainability.coverage"),
        _changes(found),
        _shift(found),
        _age(found),
    ]


def beyond(found: Findings, counted: Counts | None) -> list[Point]:
    """Say what machine learning cannot do here."""
    return [
        _chances(found, counted),
        _reach(found),
        _columns(found),
        Point(
            "It finds what goes together, not what causes it",
            (
                "That an answer would be another one if a value were another one says something about the model. "
                "Whether the outcome would change if somebody changed that value in the world, nobody has measured.",
            ),
        ),
        _gated("It knows the past", found, "eda.target", before="All it knows are"),
        _gated("It believes the outcomes it was given", found, "eda.labels"),
    ]


def _gated(title: str, found: Findings, gate_id: str, trigger: str = "", before: str = "") -> Point:
    gate = found.gates[gate_id]
    if gate.status == "skip":
        return _unknown(title, gate)
    text = f"{before} {gate.message[:1].lower()}{gate.message[1:]}" if before else gate.message
    return Point(title, tuple(filter(None, (text, _instead(found, trigger)))))


def _unknown(title: str, gate: GateResult) -> Point:
    return Point(title, (f"Not known: {gate.message}",), known=False)


def _listed(title: str, found: Findings, name: str, gate_id: str) -> Point:
    sentences, gate = found.found("explainability", name), found.gates[gate_id]
    if not isinstance(sentences, Sequence) or gate.status == "skip":
        return _unknown(title, gate)
    if not sentences:
        return Point(title, (gate.message if name == "failures" else "None stands out.",))
    more = (f"And {len(sentences) - MOST} more.",) if len(sentences) > MOST else ()
    return Point(title, (*sentences[:MOST], *more))


def _instead(found: Findings, trigger: str) -> str:
    if not trigger:
        return ""
    answer = found.charter.answerers.get(trigger)
    if answer:
        return f"Then the model does not decide: {WHO[answer].lower()} does."
    return f"Who decides then is not settled: {otherwise(trigger)}."


def _unsure(found: Findings, counted: Counts | None) -> Point:
    title = "Cases about which it is not sure"
    if counted is None:
        return Point(title, ("Not known: nothing was counted in this run.",), known=False)
    answer = found.charter.answerers.get("low_confidence")
    nobody = f"Who decides those is not settled: {otherwise('low_confidence')}."
    decides = f"{WHO[answer]} decides those." if answer else nobody
    rest = 100 - counted.sure.per_hundred
    others = f"The other {rest} are not. {decides}" if rest else ""
    return Point(title, tuple(filter(None, (counted.sure.sentence, counted.sure.interval, others))))


def _shift(found: Findings) -> Point:
    title, gate = "When cases have changed already", found.gates["poc.shift"]
    if gate.status == "skip":
        return _unknown(title, gate)
    says = {
        "pass": "The held-back cases could not be told from those it learnt from.",
        "warn": "The held-back cases can be told from those it learnt from, a little.",
        "fail": "The held-back cases are clearly others than those it learnt from.",
    }[gate.status]
    when = "Somebody has to watch for that once it is live."
    return Point(title, (says, f"{when} {_instead(found, 'drift')}"))


def _changes(found: Findings) -> Point:
    title, gate, kept = "When the data change", found.gates["poc.robustness"], found.found("poc", "robustness")
    if gate.status == "skip" or not isinstance(kept, Mapping):
        return _unknown(title, gate)
    trials = [trial for weakness in kept["weaknesses"] for trial in weakness["trials"] if trial["plausible"]]
    if not gate.value or not trials or any(trial["broken"] for trial in trials):
        return Point(title, (gate.message,))
    worst = min(trials, key=lambda trial: trial["change"] or 0.0)
    return Point(
        title,
        (
            f"Of {amount(len(trials), 'change')} tried that {agree(len(trials), 'is', 'are')} to be expected, the "
            f"worst is this: {worst['title']}. It takes {gate.value:.0%} of the model's lead over what there is "
            "without it.",
        ),
    )


def _age(found: Findings) -> Point:
    title, kept = "When the model has grown old", found.found("poc", "staleness")
    if not isinstance(kept, Mapping):
        return Point(title, ("Not known: the proof of concept has no current results in this run.",), known=False)
    aged = Staleness(tuple(kept["ages"]), kept["period"], kept["problem"])
    return Point(title, (aged.sentence(),), known=bool(aged.ages))


def _chances(found: Findings, counted: Counts | None) -> Point:
    said = ["It says how likely something is. About a single case it can always be wrong."]
    if counted is not None:
        said.append(counted.main[0].sentence)
    gate = found.gates["explainability.calibration"]
    said.append(gate.message if gate.status != "skip" else f"Whether its 80 % mean 80 % is not known: {gate.message}")
    return Point("It gives chances, not certainties", tuple(said))


def _reach(found: Findings) -> Point:
    title, gate = "No model of these data can do everything", found.gates["poc.ceiling"]
    band, ladder = found.found("poc", "reach"), found.found("poc", "ladder")
    if not isinstance(band, Mapping) or not isinstance(ladder, Mapping) or band.get("low") is None:
        return Point(title, (gate.message,), known=gate.status != "skip")
    metric = METRICS[ladder["metric"]]
    chosen = next(rung for rung in ladder["rungs"] if rung["name"] == ladder["chosen"])
    return Point(
        title,
        (
            f"How good it is, is measured as {metric.meaning}. With these data {plain(band['low'])} to "
            f"{plain(band['high'])} is within reach of any model (95 % band); this one has {plain(chosen['mean'])}. "
            "The rest is chance, or stands in no column.",
        ),
    )


def _columns(found: Findings) -> Point:
    title, agreed = "It sees only what stands in the data", found.found("handoff", "contract")
    if not isinstance(agreed, Mapping):
        return Point(title, ("What it sees is not known: the contract is not written yet.",), known=False)
    sent = [str(entry["name"]) for entry in agreed["inputs"] if not entry.get("computed")]
    made = [str(entry["name"]) for entry in agreed["inputs"] if entry.get("computed")]
    sources = ", ".join(source.name for source in found.charter.sources)
    computed = f"{amount(len(made), 'column')} that the project computes from such: {_some(made)}"
    also = f" It also looks at {computed}." if made else ""
    return Point(
        title,
        (
            f"It looks at {amount(len(sent), 'column')} from {sources}: {_some(sent)}.{also} "
            "Whatever else decides a case, it does not know.",
        ),
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_COLUMNS} more" if len(names) > MOST_COLUMNS else ""
    return f"{', '.join(names[:MOST_COLUMNS])}{more}"
