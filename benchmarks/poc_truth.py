"""Are the numbers of the proof of concept true? Simulated problems whose generator is known, asked again and again.

Draws problems, runs the code of notebook 02 on a few thousand cases of each, and holds what it says against the truth:
the same fitted model on a population of a million, and the best answer anybody could give. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter import gates, metrics
from lab2live.charter.schema import Charter
from lab2live.data import dataset, feature_types, intervals, models, splits
from lab2live.pipeline import decision as verdict
from lab2live.poc.comparison import ladder, reach, telling
from lab2live.poc.worth import returns, value

POPULATION = 1_000_000
CASES = 2_000
# Repetitions: of each world with a signal, and of noise.
SIGNAL, NOISE = 200, 300
COVERAGE = 0.90
MONEY = {
    "per_case": {"true_positive": 120, "false_positive": -20, "false_negative": 0, "true_negative": 0},
    "cases_per_month": 3_000, "build_cost": 40_000, "run_cost_per_month": 2_000, "horizon_months": 24,
}  # fmt: skip
WORLDS = ("linear", "interactive", "noise")


@dataclass
class Run:
    """What was said of one drawn problem, and what is true."""

    world: str
    seed: int
    chosen: str = ""
    decision: str = ""
    score: float = 0.0
    score_low: float = 0.0
    score_high: float = 0.0
    score_true: float = 0.0
    gain_low: float = 0.0
    gain_high: float = 0.0
    gain_true: float = 0.0
    regret: float = 0.0
    reach_low: float = 0.0
    reach_high: float = 0.0
    bayes: float = 0.0
    seconds: float = 0.0


def draw(world: str, rows: int, random: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw cases, and the probability that each of them is positive."""
    numbers = random.normal(size=(rows, 4))
    plan = random.choice(["basic", "plus", "family"], rows, p=[0.5, 0.3, 0.2])
    frame = pd.DataFrame(numbers, columns=["bill", "tenure", "calls", "usage"]).assign(plan=plan)
    if world == "linear":
        margin = -1.7 + 0.9 * frame["bill"] - 0.7 * frame["tenure"] + 0.4 * frame["calls"] + 0.8 * (plan == "basic")
    elif world == "interactive":
        margin = (
            -1.7 + 1.8 * np.sign(frame["bill"] * frame["tenure"]) + 1.0 * np.sign(frame["calls"]) * (plan == "basic")
        )
    else:
        margin = pd.Series(np.full(rows, -1.4))
    return frame, 1 / (1 + np.exp(-margin.to_numpy()))


def charter_of() -> Charter:
    return Charter(
        business={"value": MONEY},  # type: ignore[arg-type]
        prediction={"problem_type": "classification", "target": "left", "positive_class": "yes"},  # type: ignore[arg-type]
        sources=[{"name": "cases", "uri": "cases.csv"}],  # type: ignore[list-item]
    )


def run(world: str, seed: int, population: int) -> Run:
    """Go through notebook 02 once, and look up the truth."""
    start = time.perf_counter()
    random = np.random.default_rng([seed, WORLDS.index(world)])
    charter = charter_of()
    frame, chance = draw(world, CASES, random)
    outcome = np.where(random.random(CASES) < chance, "yes", "no")
    data = dataset.dataset(charter, frame.assign(left=outcome))
    split = splits.split(charter, data, seed)
    climb = ladder.climb(charter, data, split, folds=5, repeats=1, budget=6, seed=seed)
    found = climb.ladder
    worth = returns.returns(charter, climb.answers, found.chosen, seed)
    judged = [gates.judge("poc.beats_baseline", found.confidence, ""),
              gates.judge("poc.net_benefit", worth.positive, ""),
              gates.judge("poc.required_score", telling.required(charter, found).value, ""),
              gates.judge("poc.generalization_gap", found.optimism, "")]  # fmt: skip
    decision, _ = verdict.decide(judged)
    score = metrics.score(found.metric)
    boot = intervals.bootstrap(climb.answers.test_known, {"": climb.answers.test[found.chosen]}, score, seed)[""]
    told = Run(world, seed, found.chosen, decision, found.rung(found.chosen).test)
    told.score_low, told.score_high = (float(edge) for edge in np.quantile(boot, [0.05, 0.95]))
    if world != "noise":
        assert worth.gain_per_case is not None and worth.gain_per_case.low is not None
        told.gain_low, told.gain_high = float(worth.gain_per_case.low), float(worth.gain_per_case.high or 0)
        candidate = next(one for one in climb.candidates if one.name == found.best)
        band = reach.reachable(charter, data, split.train, found, candidate, score, seed=seed)
        told.reach_low, told.reach_high = band.low, band.high
        _look_up(told, charter, data, climb, worth, random, population)
    told.seconds = time.perf_counter() - start
    return told


def _look_up(
    told: Run,
    charter: Charter,
    data: Any,
    climb: ladder.Climb,
    worth: Any,
    random: np.random.Generator,
    population: int,
) -> None:
    """Ask the fitted model about a whole population; expected values over the outcomes, so that no luck is in them."""
    frame, chance = draw(told.world, population, random)
    said = models.answer(climb.model, feature_types.prepare(frame, data.columns))
    known = (random.random(population) < chance).astype(int)
    told.score_true = float(metrics.score("roc_auc")(known, said))
    told.bayes = float(metrics.score("roc_auc")(known, chance))
    money = charter.business.value.per_case
    assert money is not None
    acting = chance * money.true_positive + (1 - chance) * money.false_positive
    leaving = chance * money.false_negative + (1 - chance) * money.true_negative
    policy = value.learn_policy(charter, "binary", climb.answers.known, climb.answers.out_of_fold[told.chosen])
    decided = policy.decide(said)
    mine = float((decided * acting + (1 - decided) * leaving).mean())
    others = {"all": float(acting.mean()), "none": float(leaving.mean())}
    told.gain_true = mine - others[worth.against]
    # the best line for this model, against the one that was drawn
    order = np.argsort(-said, kind="stable")
    curve = np.r_[0.0, np.cumsum((acting - leaving)[order])] / population + float(leaving.mean())
    told.regret = (float(curve.max()) - mine) / (float(curve.max()) - min(others.values()))


def report(runs: list[Run]) -> bool:
    """Print what came out, and the bars."""
    frame = pd.DataFrame([asdict(one) for one in runs])
    signal, passed = frame[frame["world"] != "noise"], True
    print(f"{len(frame)} problems of {CASES:,} cases, {frame['seconds'].mean():.1f} s each\n")
    print(pd.crosstab(frame["world"], frame["chosen"]).to_string(), "\n")
    print(pd.crosstab(frame["world"], frame["decision"]).to_string(), "\n")

    def bar(what: str, number: float, good: bool, wanted: str) -> None:
        nonlocal passed
        passed &= bool(good)
        print(f"{'PASS' if good else 'FAIL'}  {what}: {number:.3f} ({wanted})")

    if len(signal):
        regret = float(signal.sort_values("seed")["regret"].head(50).median())
        bar("regret of the threshold, median of 50", regret, regret <= 0.02, "at most 0.02")
        for what in ("score", "gain"):
            inside = signal[f"{what}_true"].between(signal[f"{what}_low"], signal[f"{what}_high"]).mean()
            name = "return" if what == "gain" else what
            bar(f"90 % interval of the {name} holds the truth", inside, 0.86 <= inside <= 0.94, "0.86 to 0.94")
        inside = signal["bayes"].between(signal["reach_low"], signal["reach_high"]).mean()
        bar("the reachable band holds the best there is", inside, inside >= 0.9, "at least 0.9")
        width = (signal["reach_high"] - signal["reach_low"]).mean()
        print(f"      its mean width: {width:.3f}")
    for world, wanted in (("linear", "linear"), ("interactive", "boosting")):
        of = frame[frame["world"] == world]
        if len(of):
            share = (of["chosen"] == wanted).mean()
            bar(f"{wanted} is chosen in the {world} world", share, share >= 0.95, "at least 0.95")
            share = (of["decision"] != "no-go").mean()
            bar(f"the profitable {world} world is not called no-go", share, share >= 0.95, "at least 0.95")
    noise = frame[frame["world"] == "noise"]
    if len(noise):
        share = (noise["decision"] == "no-go").mean()
        bar("noise is called no-go", share, share >= 0.99, "at least 0.99")
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signal", type=int, default=SIGNAL, help="repetitions of each world with a signal")
    parser.add_argument("--noise", type=int, default=NOISE, help="repetitions of the world without one")
    parser.add_argument("--population", type=int, default=POPULATION)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--quick", action="store_true", help="10 of each, a population of 100,000")
    parser.add_argument("--out", type=Path, help="a JSON file with every repetition")
    asked = parser.parse_args()
    if asked.quick:
        asked.signal, asked.noise, asked.population = 10, 10, 100_000
    jobs = [(world, seed) for world in WORLDS for seed in range(asked.noise if world == "noise" else asked.signal)]
    runs = []
    start = time.perf_counter()
    with ProcessPoolExecutor(asked.processes, multiprocessing.get_context("spawn")) as pool:
        for done, told in enumerate(pool.map(run, *zip(*jobs, strict=True), [asked.population] * len(jobs)), start=1):
            runs.append(told)
            if done % 25 == 0:
                print(f"{done} of {len(jobs)}, {(time.perf_counter() - start) / 60:.1f} min", file=sys.stderr)
            if asked.out:
                asked.out.write_text(json.dumps([asdict(one) for one in runs]))
    return 0 if report(runs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
