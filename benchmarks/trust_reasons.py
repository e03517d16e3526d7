"""Why this output? Do the reasons add up, how fast do they come, and do they fail the checks that they should fail?

Times are ratios to the bare call of the library on the same rows, in the same process; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import trust_data
from sklearn.base import clone

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.data.dataset import Dataset
from lab2live.explainability.why import families, importance, reasons, sanity

Bars = list[tuple[str, float, bool, str]]

ROWS = 1_000
REPEATS = 15
# What the simulated customers' leaving depends on, and what it has nothing to do with.
CARRIES = {"contract", "tenure", "calls", "late", "discount", "device_age", "payment"}
IDLE = {"age", "region", "usage"}


def rungs(data: Dataset, train: np.ndarray) -> dict[str, Any]:
    made = {"linear": models.linear(data), "additive": models.additive(data, 0), "boosting": models.boosting(data, 0)}
    return {name: models.fit(model, data, train) for name, model in made.items()}


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> float:
    """Give the median of paired quotients: both share whatever else the machine does at that moment."""
    quotients = []
    ours(), theirs()
    for _ in range(repeats):
        took = []
        for call in (ours, theirs):
            start = time.perf_counter()
            call()
            took.append(time.perf_counter() - start)
        quotients.append(took[0] / took[1])
    return statistics.median(quotients)


def single(ready: reasons.Reasoner, inputs: pd.DataFrame) -> tuple[float, float]:
    """Explain one case after the other: the shortest time, and the median quotient to the model's bare answer."""
    rows = iter(range(len(inputs)))
    times = []

    def told() -> None:
        start = time.perf_counter()
        _ = ready.explain(inputs.iloc[[next(rows)]]).points
        times.append(1_000 * (time.perf_counter() - start))

    longer = ratio(told, lambda: models.answer(ready.model, inputs.iloc[[0]]), 50)
    return min(times), longer


def asked(name: str, charter: Charter, frame: pd.DataFrame, repeats: int) -> Bars:
    """Explain 1,000 held-back cases with every rung."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

    data = dataset.dataset(charter, frame)
    split = splits.split(charter, data, 0)
    inputs, bars = data.inputs.iloc[split.test[:ROWS]], Bars()
    for kind, model in rungs(data, split.train).items():
        print(f"{name}, {kind}", file=sys.stderr)
        background = reasons.background(model, data.inputs.iloc[split.train])
        found = reasons.explain(model, data.columns, inputs, background)
        gap = max(found.additivity_error, found.points_error)
        bars.append((f"{name}, {kind}: largest gap, margin and points", gap, gap <= 1e-6, "at most 1e-6"))
        ready = reasons.reasoner(model, data.columns, background)
        times, longer = single(ready, inputs)
        bars.append((f"{name}, {kind}: one case, against its answer alone", longer, longer <= 2, "at most 2"))
        bars.append((f"{name}, {kind}: one case, milliseconds, the best of 50", times, times < 20, "below 20"))
        if kind == "linear":
            continue
        inner, matrix = reasons._calibration(model[-1])[2], np.asarray(model[:-1].transform(inputs), dtype=float)
        slower = ratio(
            lambda model=model, background=background: reasons.explain(model, data.columns, inputs, background),
            lambda inner=inner, matrix=matrix: shap.TreeExplainer(inner).shap_values(matrix, check_additivity=False),
            repeats,
        )
        bars.append((f"{name}, {kind}: time against bare shap", slower, slower <= 1.2, "at most 1.2"))
    return bars


def checked(quick: bool) -> Bars:
    """Ask the checks about true reasons, about reasons that ignore the model, and about data without a signal."""
    charter, seeds = trust_data.charter_of(), range(1 if quick else 5)
    kept, faked, chance, noise = np.full((4, len(seeds)), np.nan)  # what cannot be computed meets no bar
    found, idle, took = [], [], []
    for seed in seeds:
        print(f"checks, seed {seed}", file=sys.stderr)
        data = dataset.dataset(charter, trust_data.churn(seed))
        split = splits.split(charter, data, seed)
        model = models.fit(models.boosting(data, seed), data, split.train)
        start = time.perf_counter()
        kept[seed] = retained(data, model, split, seed)
        probes = sanity.probes(data, model, split.train, split.test, seed, trust_data.DERIVED)
        took.append(time.perf_counter() - start)
        chance[seed] = probes.share
        found.append(not CARRIES & set(probes.weak))
        idle += [name in probes.weak for name in IDLE]
        faked[seed] = retained(data, model, split, seed, blind)
        shuffled = replace(data, outcome=np.random.default_rng(seed).permutation(data.outcome))
        lost = models.fit(models.boosting(shuffled, seed), shuffled, split.train)
        noise[seed] = sanity.probes(shuffled, lost, split.train, split.test, seed, trust_data.DERIVED).share
    share, wrong, seconds = float(np.mean(found)), float(np.mean(idle)), statistics.median(took)
    left, fake = float(kept.max()), float(faked.min())
    weight, lone = float(chance.max()), float(noise.min())
    return [
        ("outcomes shuffled: share of true reasons left, worst", left, left <= 0.25, "at most 0.25: passes"),
        ("the same of reasons that ignore the model, least", fake, fake > 0.5, "above 0.5: fails"),
        ("weight of pure chance against the heaviest, worst", weight, weight <= 0.25, "at most 0.25: passes"),
        ("the same where nothing tells anything, least", lone, lone > 0.5, "above 0.5: fails"),
        ("draws in which every carrier beats pure chance", share, share == 1, "all"),
        ("idle columns told to be no heavier than chance", wrong, wrong >= 0.5, "at least half"),
        ("seconds for both checks, median", seconds, seconds < 10, "below 10"),
    ]


def retained(data: Dataset, model: Any, split: splits.Split, seed: int, explain: Any = reasons.explain) -> float:
    """Say which share of the reasons remains when the same model learns from shuffled targets (Adebayo et al. 2018)."""
    train = sanity.drawn(data, split.train, seed)
    inputs, random, kept = data.inputs.iloc[splits.some(split.test, 500, seed)], np.random.default_rng(seed), []
    real = explain(model, data.columns, inputs, reasons.background(model, data.inputs.iloc[train])).each
    for _ in range(2):
        outcome = data.outcome.copy()
        outcome[train] = random.permutation(outcome[train])
        refit = models.fit(clone(model), replace(data, outcome=outcome), train)
        other = explain(refit, data.columns, inputs, reasons.background(refit, data.inputs.iloc[train])).each
        kept.append(float((real * other).sum() / (real**2).sum()))
    return abs(float(np.mean(kept)))


def blind(model: Any, columns: Any, inputs: pd.DataFrame, background: Any) -> reasons.Reasons:
    """Explain without looking at the model."""
    found = reasons.explain(model, columns, inputs, background)
    codes = np.column_stack([pd.factorize(inputs[name], sort=True)[0] for name in columns.kinds]).astype(float)
    return replace(found, each=(codes - codes.mean(axis=0))[:, :, None])


def recovered() -> Bars:
    """Look whether the global picture ranks what carries above what does not."""
    charter = trust_data.charter_of()
    data = dataset.dataset(charter, trust_data.churn(0))
    split = splits.split(charter, data, 0)
    model = models.fit(models.boosting(data, 0), data, split.train)
    background = reasons.background(model, data.inputs.iloc[split.train])
    found = reasons.explain(model, data.columns, data.inputs.iloc[split.test[:2_000]], background)
    together = families.families(data.columns.kinds, trust_data.DERIVED)
    ranking = importance.importance(found.of_families(together))["column"].tolist()
    worst = max(ranking.index(name) for name in CARRIES)
    best = min(ranking.index(name) for name in IDLE)
    return [("places between the last carrier and the first idle column", best - worst, best > worst, "at least 1")]


def measure(quick: bool) -> Bars:
    """Measure this part: what, number, whether the bar is met, the bar in words."""
    charter, repeats = trust_data.charter_of(), 5 if quick else REPEATS
    bars = asked("churn", charter, trust_data.churn(0), repeats)
    bars += asked("visits", charter, trust_data.visits(), repeats)
    return bars + checked(quick) + recovered()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one draw, few repetitions")
    bars = measure(parser.parse_args().quick)
    for what, number, met, wanted in bars:
        print(f"{'PASS' if met else 'FAIL'}  {what}: {number:.3g} ({wanted})")
    return 0 if all(met for _, _, met, _ in bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())
