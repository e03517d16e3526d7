"""How sure? Whether what is promised about single cases is kept: overall, in every class, at every predicted level.

The promise is learnt from the answers out of fold of the training part, as notebook 03 does it, and tried on a test
part of which nothing was learnt. The plain version is held against MAPIE's in an environment of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import trust_data

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.data.dataset import Dataset
from lab2live.explainability.confidence import calibration, conformal

Bars = list[tuple[str, float, bool, str]]

SEEDS, QUICK_SEEDS = 20, 3
FOLDS = 5

# What the other environment runs: models that repeat answers they are given, so that only the sets differ.
MAPIE = """
import sys
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from mapie.classification import SplitConformalClassifier
from mapie.conformity_scores import AbsoluteConformityScore
from mapie.regression import SplitConformalRegressor

class Says(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.fitted_ = True
        return self
    def predict_proba(self, X):
        return X
    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]

class Repeats(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.fitted_ = True
        return self
    def predict(self, X):
        return X[:, 0]

given = np.load(sys.argv[1] + "/given.npz")
if sys.argv[2] == "regression":
    score = AbsoluteConformityScore(sym=False)
    peer = SplitConformalRegressor(Repeats().fit(given["old"], given["known"]), 0.9, score, prefit=True)
    peer.conformalize(given["old"], given["known"])
    said = peer.predict_interval(given["new"])[1][:, :, 0]
else:
    peer = SplitConformalClassifier(Says().fit(given["old"], given["known"]), 0.9, "lac", prefit=True)
    peer.conformalize(given["old"], given["known"])
    said = peer.predict_set(given["new"])[1][:, :, 0]
np.save(sys.argv[1] + "/said.npy", said)
"""


def answered(charter: Charter, data: Dataset, seed: int) -> tuple[splits.Split, np.ndarray, np.ndarray]:
    """Fit boosting; give the split, its answers out of fold, and those about the test part."""
    split = splits.split(charter, data, seed)
    place = np.zeros(len(data.outcome), dtype=int)
    place[split.train] = np.arange(len(split.train))
    held_out = np.full(len(split.train), np.nan)
    for learn, validate in splits.folds(charter, data, split.train, FOLDS, 1, seed):
        model = models.fit(models.boosting(data, seed), data, learn)
        held_out[place[validate]] = models.answer(model, data.inputs.iloc[validate])
    model = models.fit(models.boosting(data, seed), data, split.train)
    return split, held_out, models.answer(model, data.inputs.iloc[split.test])


def kept(name: str, problem_type: str, frames: list[pd.DataFrame], peer: str | None) -> Bars:
    """Count how often the promise is kept, over many draws of data or of the split."""
    charter = trust_data.charter_of(problem_type)
    overall, parts, off, plain = [], [], [], []
    for seed, frame in enumerate(frames):
        print(f"{name}, seed {seed}", file=sys.stderr)
        data = dataset.dataset(charter, frame)
        split, held_out, said = answered(charter, data, seed)
        known, old = data.outcome[split.test], data.outcome[split.train]
        promise = conformal.learn(data.problem, old, held_out)
        covered = promise.covers(known, said)
        if data.classes:
            place = known
        else:
            edges = np.quantile(said, [0.25, 0.5, 0.75])
            place = np.searchsorted(edges, said, side="right")
        overall.append(covered.mean())
        parts.append([covered[place == one].mean() for one in np.unique(place)])
        off.append(calibration.calibration(data.problem, known, said, seed).evidence.value or 0.0)
        if peer is not None and seed < QUICK_SEEDS:
            plain.append(_same(data, old, held_out, said, peer))
    each = np.mean(parts, axis=0)
    what = "class" if problem_type == "classification" else "predicted quartile"
    mean, least, worst = float(np.mean(overall)), float(each.min()), float(min(np.min(overall), np.min(parts)))
    bars: Bars = [
        (f"{name}: 90 % promised, kept overall, mean", mean, 0.88 <= mean <= 0.92, "0.88 to 0.92"),
        (f"{name}: the same in the worst {what}, mean", least, least >= 0.87, ">= 0.87"),
        (f"{name}: the worst {what} of the worst seed", worst, worst >= 0.84, ">= 0.84"),
    ]
    if problem_type == "classification":
        found = float(np.mean(np.array(off) > 0))
        bars.append((f"{name}: draws in which calibration is found off", found, found <= 0.2, "<= 0.2"))
    if plain:
        same = float(np.min(plain))
        bars.append((f"{name}: rows with the plain set that MAPIE gives", same, same >= 0.999, ">= 0.999"))
    else:
        print("MAPIE: SKIPPED, no --peer PYTHON with mapie was named", file=sys.stderr)
    return bars


def _same(data: Dataset, known: np.ndarray, old: np.ndarray, new: np.ndarray, peer: str) -> float:
    """Give the share of rows with the same set, or the same range to a billionth."""
    promise = conformal.learn(data.problem, known, old, conditional=False)
    told = ~np.isnan(old)
    old, known = old[told], known[told]
    with tempfile.TemporaryDirectory() as folder:
        shape = (lambda one: one[:, None]) if data.problem == "regression" else conformal.probabilities
        np.savez(Path(folder) / "given.npz", old=shape(old), known=known, new=shape(new))
        subprocess.run([peer, "-c", MAPIE, folder, data.problem], check=True, stdout=sys.stderr)
        theirs = np.load(Path(folder) / "said.npy")
    if data.problem == "regression":
        ours = np.column_stack(promise.ranges(new))
        return float(np.isclose(ours, theirs, rtol=1e-9).all(axis=1).mean())
    return float((promise.sets(new) == theirs).all(axis=1).mean())


def measure(quick: bool, peer: str | None = None) -> Bars:
    """Measure this part: what, number, whether the bar is met, the bar in words.

    Parameters
    ----------
    quick
        Fewer seeds; the bars are the same.
    peer
        Interpreter of the environment with MAPIE; `None` leaves it out, loudly.
    """
    seeds = QUICK_SEEDS if quick else SEEDS
    bars = kept("churn", "classification", [trust_data.churn(seed) for seed in range(seeds)], peer)
    bars += kept("visits at all", "classification", [trust_data.visits()] * seeds, peer)
    bars += kept("spend", "regression", [trust_data.spend(seed) for seed in range(seeds)], peer)
    return bars + kept("number of visits", "regression", [trust_data.visits(count=True)] * seeds, peer)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with mapie")
    chosen = parser.parse_args()
    bars = measure(chosen.quick, chosen.peer)
    for what, number, met, bar in bars:
        print(f"{'ok  ' if met else 'MISS'}  {what}: {number:.4g} (bar: {bar})")
    return 0 if all(met for _, _, met, _ in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
