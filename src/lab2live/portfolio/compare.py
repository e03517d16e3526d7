"""Runs side by side: what changed between them, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lab2live.charter import metrics
from lab2live.charter.loading import FILE
from lab2live.charter.yaml import read_yaml
from lab2live.data import intervals
from lab2live.pipeline import decision, store
from lab2live.poc import predictions
from lab2live.reporting.formatting import gate_view, number

# What the metric of a run was computed from, row by row of the test set: id, outcome, answer.
SCORED = f"artefacts/{predictions.SCORED}"
Row = dict[str, str]


@dataclass(frozen=True)
class Run:
    """One run, as its files tell it."""

    folder: Path
    verdict: Mapping[str, Any]
    name: str

    @cached_property
    def charter(self) -> dict[str, str]:
        """Every field of its charter, by its path."""
        path = self.folder / FILE
        return dict(_flat(read_yaml(path.read_text(encoding="utf-8")))) if path.is_file() else {}

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        names = [stage["stage"] for stage in self.verdict["run"]["stages"]]
        return {name: found for name in names if (found := store.read_result(self.folder, name)) is not None}

    @cached_property
    def gates(self) -> dict[str, Mapping[str, Any]]:
        return {gate["id"]: gate for gate in self.verdict["gates"]}


def read(folders: Iterable[Path]) -> list[Run]:
    """Read runs.

    Raises
    ------
    UserError
        For a folder that is none.
    """
    verdicts = {place: decision.read(place) for place in map(store.followed, folders)}
    names = [str(verdict["run"]["id"]) for verdict in verdicts.values()]
    # two projects may each have a run of the same second
    unique = len(set(names)) == len(names)
    return [
        Run(place, verdict, name if unique else str(place))
        for (place, verdict), name in zip(verdicts.items(), names, strict=True)
    ]


def compare(runs: Sequence[Run]) -> dict[str, list[Row]]:
    """Put runs side by side: title of a table -> its rows, one column a run, named by it.

    Scores are compared with those of the first run: paired, by a bootstrap of the rows, where both have the same test
    rows with the same outcomes.
    """
    return {
        "Decisions": [_row("decision", runs, lambda run: run.verdict["decision"])],
        "What changed": _changed(runs),
        "Scores on the test set": _scores(runs),
        "Money, workload and quality": _measures(runs),
        "Gates that differ": _gates(runs),
    }


def _row(name: str, runs: Sequence[Run], say: Callable[[Run], object]) -> Row:
    return {"": name, **{run.name: str(say(run)) for run in runs}}


def _different(label: str, runs: Sequence[Run], values: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Give a row for every name whose value is not the same in all runs."""
    said = [{name: str(value) for name, value in each.items()} for each in values]
    names = sorted({name for each in said for name in each})
    rows = {name: [each.get(name, "–") for each in said] for name in names}
    return [
        {"": f"{label} {name}", **{run.name: text for run, text in zip(runs, row, strict=True)}}
        for name, row in rows.items()
        if len(set(row)) > 1
    ]


def _changed(runs: Sequence[Run]) -> list[Row]:
    facts = [run.verdict["run"] for run in runs]
    inputs = [{name: stamp[:8] for name, stamp in fact["inputs"].items() if name != "charter"} for fact in facts]
    parameters = [
        {f"{stage}.{name}": value for stage, each in run.results.items() for name, value in each["parameters"].items()}
        for run in runs
    ]
    return [
        *_different("charter", runs, [run.charter for run in runs]),
        *_different("content of", runs, inputs),
        *_different("parameter", runs, parameters),
        *_different("version of", runs, [fact["versions"] for fact in facts]),
    ]


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            yield from _flat(one, f"{path}[{number}]")
    else:
        yield path, str(value)


def _scores(runs: Sequence[Run]) -> list[Row]:
    found = []
    for run in runs:
        ladder = run.results.get("poc", {}).get("ladder")
        if ladder is None:
            found.append({"model": "–", "metric": "–", "score": "–"})
            continue
        chosen = next(rung for rung in ladder["rungs"] if rung["name"] == ladder["chosen"])
        interval = f"{number(chosen['test'])} [{number(chosen['test_low'])}, {number(chosen['test_high'])}]"
        found.append({"model": chosen["title"], "metric": metrics.METRICS[ladder["metric"]].label, "score": interval})
    rows = [{"": name, **{run.name: each[name] for run, each in zip(runs, found, strict=True)}} for name in found[0]]
    first, *others = runs
    against = {run.name: _paired(first, run) for run in others}
    return [*rows, {"": f"difference to {first.name}, paired (95 % interval)", first.name: "–", **against}]


def _paired(first: Run, other: Run) -> str:
    import pandas as pd

    names = {run.results.get("poc", {}).get("ladder", {}).get("metric") for run in (first, other)}
    places = [run.folder / SCORED for run in (first, other)]
    if len(names) > 1 or None in names or not all(place.is_file() for place in places):
        return "not comparable: another metric, or no scores"
    one, two = (pd.read_parquet(place).sort_values("id", ignore_index=True) for place in places)
    if not one[["id", "outcome"]].equals(two[["id", "outcome"]]):
        return "not paired: other test rows"
    outcome, answers = one["outcome"].to_numpy(), {"a": one["answer"].to_numpy(), "b": two["answer"].to_numpy()}
    score = metrics.score(str(names.pop()))
    drawn = intervals.bootstrap(outcome, answers, score, seed=0)
    low, high = np.quantile(drawn["b"] - drawn["a"], [0.025, 0.975])
    return f"{score(outcome, answers['b']) - score(outcome, answers['a']):+.3f} [{low:+.3f}, {high:+.3f}]"


def _measures(runs: Sequence[Run]) -> list[Row]:
    names = dict.fromkeys(name for run in runs for name in run.verdict["measures"])
    rows = [
        {"": name.replace("_", " "), **{run.name: _measure(run.verdict["measures"].get(name)) for run in runs}}
        for name in names
    ]
    return [*rows, _row("left after all costs over the horizon", runs, _left)]


def _left(run: Run) -> str:
    returns = run.results.get("poc", {}).get("returns") or {}
    net = returns.get("net")
    if net is None:
        return "not measured"
    return f"{number(net['middle'])} [{number(net['low'])}, {number(net['high'])}] {returns['currency']}"


def _measure(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "not measured"
    ends = "" if found["low"] is None else f" [{number(found['low'])}, {number(found['high'])}]"
    return f"{number(found['value'])}{ends} {found['unit']}".rstrip()


def _gates(runs: Sequence[Run]) -> list[Row]:
    names = list(dict.fromkeys(name for run in runs for name in run.gates))
    told = {name: [_gate(run.gates.get(name)) for run in runs] for name in names}
    return [
        {"": name, **{run.name: says for run, says in zip(runs, each, strict=True)}}
        for name, each in told.items()
        if len(set(each)) > 1
    ]


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "–"
    view = gate_view(gate)
    return f"{view.symbol} {view.status} {view.measured}".rstrip()
