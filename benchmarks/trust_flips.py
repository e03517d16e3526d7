"""What would flip it? Is every change valid, small and found where there is one, and how fast is it?

Searches changes for held-back cases of a simulated churn and of doctor visits that happened. Every answer is checked
again with the model itself, and against trying everything to the same depth. `--peer PYTHON` names an interpreter with
`dice-ml`, `pyarrow`, `skops` and this scikit-learn (it wants an environment of its own); without it DiCE is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import trust_data

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.feature_types import prepare
from lab2live.explainability.flips import asking
from lab2live.explainability.flips import search as flips
from lab2live.explainability.flips.changes import Changes
from lab2live.explainability.flips.moves import Predict, Space
from lab2live.explainability.flips.search import Flip, Flips
from lab2live.explainability.flips.space import space
from lab2live.explainability.sides import Sides
from lab2live.pipeline import hooks
from lab2live.poc.worth import value

Bar = tuple[str, float, bool, str]

QUERIES, QUICK_QUERIES = 300, 60
HARD, QUICK_HARD = 60, 15
PEER, QUICK_PEER = 40, 5
# Without the columns that matter most a change takes two or three columns, or there is none.
HARDER = ["contract", "calls", "late", "bill", "lines"]
# Each search is timed so often, and its fastest time counts: the machine may be busy with something else.
TIMED = 3
# Rows asked of the model at once while trying everything.
BATCH = 50_000

DICE = '''
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import dice_ml, numpy as np, pandas as pd, skops.io

class AtLine:
    """The same model with its line where DiCE looks for it, at one half."""
    def __init__(self, model, line):
        self.model, self.shift = model, np.log(line / (1 - line))
    def predict_proba(self, rows):
        share = np.clip(self.model.predict_proba(rows)[:, 1], 1e-12, 1 - 1e-12)
        positive = 1 / (1 + np.exp(self.shift - np.log(share / (1 - share))))
        return np.column_stack([1 - positive, positive])
    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] >= 0.5).astype(int)

folder = sys.argv[1]
task = json.load(open(f"{folder}/task.json"))
model = AtLine(skops.io.load(f"{folder}/model.skops", trusted=task["trusted"]), task["line"])
train, queries = pd.read_parquet(f"{folder}/train.parquet"), pd.read_parquet(f"{folder}/queries.parquet")
data = dice_ml.Data(dataframe=train, continuous_features=task["numbers"], outcome_name=task["target"])
dice = dice_ml.Dice(data, dice_ml.Model(model=model, backend="sklearn"), method="random")
found = []
for place in range(len(queries)):
    start = time.perf_counter()
    try:
        said = dice.generate_counterfactuals(queries.iloc[[place]], total_CFs=1, desired_class="opposite",
            features_to_vary=task["free"], random_seed=0, verbose=False).cf_examples_list[0].final_cfs_df
        row = None if said is None or not len(said) else json.loads(said.to_json(orient="records"))[0]
    except Exception as error:
        if "No counterfactuals found" not in str(error):
            raise
        row = None
    found.append([time.perf_counter() - start, row])
json.dump(found, open(f"{folder}/found.json", "w"))
'''


@dataclass(frozen=True)
class World:
    """A fitted model and what is asked about it."""

    name: str
    charter: Charter
    table: pd.DataFrame
    data: Dataset
    train: np.ndarray
    test: np.ndarray
    model: Any
    predict: Predict

    def space(self, sides: Sides) -> Space:
        return space(self.charter, self.table, self.data, self.train, self.predict, sides)


def world(name: str, frame: pd.DataFrame, **prediction: Any) -> World:
    """Fit boosting on the training part of one of the data sets."""
    charter = trust_data.charter_of()
    known = charter.prediction
    charter = charter.model_copy(
        update={
            "prediction": known.model_copy(
                update={
                    "immutable": [column for column in known.immutable if column in frame],
                    "direction": {column: way for column, way in known.direction.items() if column in frame},
                    "derived": {column: text for column, text in known.derived.items() if column in frame},
                    **prediction,
                }
            )
        }
    )
    data = dataset.dataset(charter, frame)
    split = splits.split(charter, data, 0)
    model = models.fit(models.boosting(data, 0), data, split.train)
    predict = asking.predictor(partial(hooks.add_features, charter), data.columns, model)
    return World(name, charter, dataset.labelled(charter, frame), data, split.train, split.test, model, predict)


def queries(this: World, most: int) -> list[dict[str, Any]]:
    """Draw held-back cases."""
    rows = np.random.default_rng(0).permutation(this.test)[:most]
    return [{str(name): row[name] for name in row} for row in this.table.iloc[rows].to_dict("records")]


def measure(quick: bool, peer: str | None = None) -> list[Bar]:
    """Measure this part.

    Parameters
    ----------
    quick
        Fewer cases; the bars are the same.
    peer
        Interpreter of the environment with DiCE; `None` leaves it out, loudly.

    Returns
    -------
    list of tuple
        What, the number, whether the bar is met, and the bar in words.
    """
    most, hard, asked = (QUICK_QUERIES, QUICK_HARD, QUICK_PEER) if quick else (QUERIES, HARD, PEER)
    churn = world("churn", trust_data.churn(0))
    visits = world("visits", trust_data.visits())
    harder = replace(
        churn,
        name="churn, few levers",
        charter=_immutable(churn.charter, [*churn.charter.prediction.immutable, *HARDER]),
    )
    bars = [*_answers(churn, most), *_answers(visits, most)]
    bars += _complete(churn, most, 0) + _complete(visits, most, 0) + _complete(harder, hard, hard)
    return bars + _against_dice(churn, asked, peer)


def _immutable(charter: Charter, names: list[str]) -> Charter:
    return charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"immutable": names})})


def _line(this: World) -> Sides:
    return Sides("binary", this.data.classes, value.threshold(this.charter))


def _answers(this: World, most: int) -> list[Bar]:
    """Time the answers, and check every one of them."""
    known = this.space(_line(this))
    asked = queries(this, most)
    flips.search(known, this.predict, asked[0])
    found, seconds, single = [], [], []
    for case in asked:
        found.append(flips.search(known, this.predict, case))
        seconds.append(_fastest(lambda case=case: flips.search(known, this.predict, case)))
        single.append(_fastest(lambda case=case: _asked_again(this, pd.DataFrame([case]))))
    pairs = [
        (case, flip, one)
        for case, one in zip(asked, found, strict=True)
        for flip in (one.smallest, one.typical)
        if flip is not None
    ]
    invalid = sum(not _valid(this, known, flip, one) for _, flip, one in pairs)
    invalid += sum(not _real_is_valid(this, known, one) for one in found)
    broken = sum(_rules_broken(this, case, flip) for case, flip, _ in pairs)
    derived = sum(_derived_broken(this, flip) for _, flip, _ in pairs)
    fewest = float(np.mean([len(one.smallest.changes) for one in found if one.smallest is not None]))
    median = 1000 * float(np.median(seconds))
    ratio = float(np.median(seconds) / np.median(single))
    slow = 1000 * float(np.quantile(seconds, 0.95))
    where = f"{this.name}, {len(asked)} cases"
    print(f"{where}: median {median:.1f} ms, 95 % within {slow:.0f} ms, {ratio:.1f} predictions", file=sys.stderr)
    return [
        (f"{where}: milliseconds per search (fastest of three), median", median, median <= 15, "<= 15"),
        (f"{where}: as a multiple of one ordinary prediction of the same model", ratio, ratio <= 3, "<= 3"),
        (f"{where}: answers that the model does not confirm", invalid, invalid == 0, "0"),
        (f"{where}: columns in the smallest change, mean", fewest, fewest <= 1.3, "<= 1.3"),
        (f"{where}: changes against immutable columns or directions", broken, broken == 0, "0"),
        (f"{where}: broken derived columns", derived, derived == 0, "0"),
    ]


def _fastest(ask: Callable[[], Any]) -> float:
    taken = []
    for _ in range(TIMED):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _asked_again(this: World, row: pd.DataFrame) -> np.ndarray:
    """Ask the model one case in the ordinary way, without anything of the search."""
    return models.answer(this.model, prepare(row, this.data.columns))


def _valid(this: World, known: Space, flip: Flip, one: Flips) -> bool:
    answer = _asked_again(this, pd.DataFrame([flip.row]))
    return bool(known.sides.code(answer)[0] != known.sides.code(np.array([one.answer]))[0])


def _real_is_valid(this: World, known: Space, one: Flips) -> bool:
    """Look the real case up in the training part, and ask the model about it as it stands there."""
    if one.real is None:
        return True
    part = this.table.iloc[this.train]
    same = np.all([part[name] == entry for name, entry in one.real.row.items()], axis=0)
    codes = known.sides.code(_asked_again(this, part[same])) if same.any() else np.array([])
    return bool((codes != known.sides.code(np.array([one.answer]))[0]).any())


def _rules_broken(this: World, case: dict[str, Any], flip: Flip) -> bool:
    rules = this.charter.prediction
    moved = any(flip.row[name] != case[name] for name in rules.immutable)
    wrong = any(
        flip.row[name] < case[name] if way == "increase" else flip.row[name] > case[name]
        for name, way in rules.direction.items()
    )
    part = this.table.iloc[this.train]
    outside = any(not (part[change.column] == change.after).any() for change in flip.changes)
    return moved or wrong or outside


def _derived_broken(this: World, flip: Flip) -> bool:
    if not this.charter.prediction.derived:
        return False
    row = flip.row
    return not np.allclose(
        [row["yearly_bill"], row["bill_per_line"]], [12 * row["bill"], row["bill"] / row["lines"]], rtol=1e-12
    )


def _complete(this: World, most: int, fewer: int) -> list[Bar]:
    """Hold what is found against trying every change of up to three columns.

    Only what the search does not find has to be tried in full: what it finds is there. For the first `fewer` cases all
    changes of one column less than in its answer are tried too.
    """
    known = this.space(_line(this))
    found = missed = more = judged = 0
    for number, case in enumerate(queries(this, most)):
        one = flips.search(known, this.predict, case)
        if one.smallest is None:
            missed += exists(known, this.predict, case, flips.DEPTH)
            continue
        found += 1
        if number < fewer:
            judged += 1
            more += exists(known, this.predict, case, len(one.smallest.changes) - 1)
    share = found / max(found + missed, 1)
    none = most - found - missed
    where = f"{this.name}, {most} cases, {none} of them without any"
    print(f"{where}: {found} found, {missed} missed, {more} of {judged} not the fewest columns", file=sys.stderr)
    bars = [(f"{where}: found where trying everything finds one", share, share >= 0.95, ">= 0.95")]
    if judged:
        fewest = 1 - more / judged
        bars.append((f"{where}: with the fewest columns there are", fewest, fewest >= 0.95, ">= 0.95"))
    return bars


def exists(known: Space, predict: Predict, case: dict[str, Any], depth: int) -> bool:
    """Try every change of up to `depth` columns."""
    changes = Changes.of(known, case)
    own = known.sides.code(predict(changes.apply(flips.NOTHING)[0]))[0]
    for steps in _all(changes, depth):
        rows, _ = changes.apply(steps)
        if len(rows) and (known.sides.code(predict(rows)) != own).any():
            return True
    return False


def _all(changes: Changes, depth: int) -> Iterator[np.ndarray]:
    column = changes.space.steps.column[changes.free]
    steps = [changes.free[column == place] for place in np.unique(column)]
    for size in range(1, depth + 1):
        waiting: list[np.ndarray] = []
        for chosen in itertools.combinations(steps, size):
            waiting.append(np.stack(np.meshgrid(*chosen, indexing="ij"), axis=-1).reshape(-1, size))
            if sum(map(len, waiting)) >= BATCH:
                yield np.concatenate(waiting)
                waiting = []
        if waiting:
            yield np.concatenate(waiting)


def _against_dice(this: World, most: int, peer: str | None) -> list[Bar]:
    """Ask DiCE (Mothilal et al. 2020, method `random`) the same about the same model and line.

    DiCE as it is installed lets the model's threads wait for each other on tables of a few rows; what is left of the
    difference when it is held to one thread is measured too.
    """
    if peer is None:
        print("DiCE: SKIPPED, no --peer PYTHON with dice-ml was named", file=sys.stderr)
        return []
    known = this.space(_line(this))
    asked = queries(this, most)
    found, before = _timed(this, known, asked)
    theirs, alone = _dice(this, known, asked, peer), _dice(this, known, asked, peer, OMP_NUM_THREADS="1")
    # once more, since the machine may have been busier while DiCE was at work
    seconds = float(np.median(before + _timed(this, known, asked)[1]))
    columns = [len(one.smallest.changes) for one in found if one.smallest is not None]
    changed, broken, valid = [], 0, 0
    for case, (_, row) in zip(asked, theirs, strict=True):
        if row is None:
            continue
        start = prepare(pd.DataFrame([case]), this.data.columns)
        end = pd.DataFrame([row])[list(start.columns)]
        valid += bool(np.diff(known.sides.code(models.answer(this.model, pd.concat([start, end]))))[0])
        differ = [name for name in start if not _alike(start[name].iloc[0], end[name].iloc[0])]
        changed.append(sum(name not in this.charter.prediction.derived for name in differ))
        broken += bool({"bill", "lines"} & set(differ))
    slow, single = (float(np.median([entry[0] for entry in answers])) for answers in (theirs, alone))
    ours, dices = float(np.mean(columns)), float(np.mean(changed))
    print(
        f"DiCE random: median {slow:.2f} s, on one thread {single:.2f} s, {len(changed)} of {len(asked)} answered, "
        f"{valid} valid, {dices:.2f} columns, {broken} with a broken derived column; here {1000 * seconds:.1f} ms, "
        f"{len(columns)} answered, {ours:.2f} columns",
        file=sys.stderr,
    )
    where = f"{this.name}, {len(asked)} cases"
    return [
        (f"{where}: times as fast as DiCE random", slow / seconds, slow / seconds >= 50, ">= 50"),
        (f"{where}: the same, DiCE held to one thread", single / seconds, single > seconds, "> 1, for information"),
        (f"{where}: columns changed, as a share of DiCE's", ours / dices, ours < dices, "< 1"),
    ]


def _timed(this: World, known: Space, asked: list[dict[str, Any]]) -> tuple[list[Flips], list[float]]:
    found, seconds = [], []
    for case in asked:
        start = time.perf_counter()
        found.append(flips.search(known, this.predict, case))
        seconds.append(time.perf_counter() - start)
    return found, seconds


def _alike(one: Any, other: Any) -> bool:
    return one == other if isinstance(one, str) else bool(np.isclose(float(one), float(other), rtol=1e-6))


def _dice(this: World, known: Space, asked: list[dict[str, Any]], peer: str, **threads: str) -> list[tuple[float, Any]]:
    import skops.io

    from lab2live.poc.comparison.chosen import trusted

    inputs = prepare(pd.DataFrame(asked), this.data.columns)
    task = {
        "trusted": trusted(skops.io.dumps(this.model)),
        "target": "left",
        "line": known.sides.line,
        "numbers": this.data.columns.numbers,
        "free": [move.column for move in known.moves],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        part = this.data.inputs.iloc[this.train].assign(left=this.data.outcome[this.train])
        part.to_parquet(folder / "train.parquet")
        inputs.to_parquet(folder / "queries.parquet")
        (folder / "task.json").write_text(json.dumps(task))
        skops.io.dump(this.model, folder / "model.skops")
        subprocess.run([peer, "-c", DICE, name], check=True, stdout=sys.stderr, env={**os.environ, **threads})
        return [(seconds, row) for seconds, row in json.loads((folder / "found.json").read_text())]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with dice-ml")
    chosen = parser.parse_args()
    bars = measure(chosen.quick, chosen.peer)
    for what, number, met, bar in bars:
        print(f"{'ok  ' if met else 'MISS'}  {what}: {number:.4g} (bar: {bar})")
    return 0 if all(met for _, _, met, _ in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
