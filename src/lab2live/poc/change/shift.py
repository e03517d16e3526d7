"""Do live cases look like those learnt from (L2)? A model that tries to tell them apart (adversarial validation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.splits import Split
from lab2live.eda.signal import quick
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cases of each part that are compared, and the fewest from which anything can be told.
ROWS, FEWEST, FEWEST_GROUPS, FOLDS = 800, 50, 10, 3

# Rules of thumb: what a difference that matters looks like. Without any, 1,000 against 1,000 cases give .48 to .52.
NOTABLE, ALARMING, SURE = 0.55, 0.65, 0.01
# Of the ridge regression, in cases' worth: differences are small, and many columns do not differ at all.
PENALTY = 20.0


@dataclass(frozen=True)
class TrainLive:
    """Can a model tell live cases from those learnt from?

    Attributes
    ----------
    auc, p
        Cross-validated ROC AUC, and how often shuffled parts reach it; `None` where it could not be computed.
    columns
        The columns that tell most by themselves, and their ROC AUC.
    against
        What was compared with the training part.
    problem
        Why it could not be computed.
    """

    auc: float | None
    p: float | None
    columns: tuple[tuple[str, float], ...] = ()
    against: str = ""
    problem: str = ""

    @property
    def evidence(self) -> Evidence:
        """Give the AUC where it is no accident, else no more than guessing; and it in words."""
        return Evidence(None if self.auc is None else self._value, self.sentence(), data={"shift": self})

    @property
    def _value(self) -> float:
        auc, p = self.auc or 0.5, 1.0 if self.p is None else self.p
        return auc if p <= SURE else min(auc, 0.5)

    def sentence(self) -> str:
        """Say whether they can be told apart, and by what."""
        if self.auc is None:
            return self.problem
        told = ", ".join(f"{name} ({auc:.2f} alone)" for name, auc in self.columns[:3])
        by = f" What tells most: {told}." if self._value > NOTABLE else ""
        found = "can be told" if self._value > 0.5 else "cannot be told"
        # the gate shows what it counts as
        guessing = ", which chance explains, and counts as 0.5" if self._value < self.auc else ""
        auc = f"ROC AUC {self.auc:.2f}, p = {self.p:.2f}{guessing}"
        return (
            f"{self.against} {found} from what was learnt from: {auc}.{by} "
            f"The limits {NOTABLE} and {ALARMING} are rules of thumb."
        )

    def table(self) -> pd.DataFrame:
        """Show the columns that tell most."""
        return pd.DataFrame(self.columns, columns=["column", "ROC AUC alone"])

    def figure(self) -> Figure:
        """Draw the columns that tell most."""
        names, values = [name for name, _ in self.columns], [auc for _, auc in self.columns]
        title = "What differs between earlier and live cases" if self._value > NOTABLE else "No column differs much"
        return plots.bars(names, values, title, "ROC AUC of the column alone", NOTABLE, "rule of thumb")


@quick.on_one_thread
def train_live(
    charter: Charter, data: Dataset, split: Split, seed: int, permutations: int = 99, live: pd.DataFrame | None = None
) -> TrainLive:
    """Test whether a model can tell the test part, or live rows, from the training part (adversarial validation).

    Ridge regression on values sorted into bins, and on pairs of these: all shuffles cost little more than one. Rows of
    one group are shuffled together.

    Parameters
    ----------
    live
        Inputs of live cases, see `columns.prepare`; by default the test part is taken for them.
    """
    expected = "" if charter.prediction.time_column in data.raw else ": no difference is to be expected"
    against = "Live cases" if live is not None else f"The test part ({split.how}{expected})"
    names = [name for name in data.columns.kinds if name != charter.prediction.time_column]
    parts = [splits.some(split.train, ROWS, seed), np.arange(len(live)) if live is not None else split.test]
    parts[1] = splits.some(parts[1], ROWS, seed + 1)
    if not names or min(map(len, parts)) < FEWEST:
        counts = " and ".join(f"{len(part):,}" for part in parts)
        return TrainLive(
            None, None, (), against, f"There is too little to compare: {counts} cases, {len(names)} columns."
        )
    frame = pd.concat([data.inputs.iloc[parts[0]], (data.inputs if live is None else live).iloc[parts[1]]])[names]
    later = np.repeat([0.0, 1.0], [len(part) for part in parts])
    groups = splits.groups(charter, data, np.concatenate(parts)) if live is None else None
    blocks = np.arange(len(later)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if blocks.max() + 1 < FEWEST_GROUPS:
        return TrainLive(None, None, (), against, f"There are too few groups to shuffle: {blocks.max() + 1}.")
    random = np.random.default_rng(seed)
    order = np.column_stack([np.arange(len(later)), *(_laid_out(blocks, random) for _ in range(permutations))])
    folds = random.permutation(np.arange(blocks.max() + 1) % FOLDS)[blocks]
    binned = {name: _bins(frame[name], data.columns.kinds[name] == "category") for name in names}
    together = np.column_stack(list(binned.values()))
    linear = together @ together.T / max(float((together**2).sum()) / len(together), 1e-12)
    found = _told(linear + 0.1 * linear**2, later[order], folds)
    alone = {name: float(_told(part @ part.T, later[:, None], folds)[0]) for name, part in binned.items()}
    best = tuple(sorted(alone.items(), key=lambda item: -item[1])[:5])
    p = (1 + int((found[1:] >= found[0]).sum())) / (1 + permutations)
    return TrainLive(float(found[0]), p, best, against)


def _laid_out(blocks: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Say from which row each row gets its part: whole blocks, laid one after the other in a new order."""
    given = np.empty(len(blocks), dtype=int)
    # `later` changes once: rows in the order of the shuffled blocks get the parts from first to last
    given[np.argsort(random.permutation(blocks.max() + 1)[blocks], kind="stable")] = np.arange(len(blocks))
    return given


def _bins(column: pd.Series, is_category: bool) -> np.ndarray:
    values: Any = column.map(str) if is_category else pd.qcut(column, 8, labels=False, duplicates="drop")
    dummies = pd.get_dummies(values, dummy_na=not is_category).to_numpy(dtype=float)
    return np.asarray(dummies - dummies.mean(axis=0))


def _told(kernel: np.ndarray, later: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Give the held-out ROC AUC of kernel ridge regression for each column of `later`, averaged over the folds."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.stats import rankdata

    kept = []
    for fold in np.unique(folds):
        learn, held = folds != fold, folds == fold
        middle, known = later[learn].mean(axis=0), later[held]
        solved = cho_solve(
            cho_factor(kernel[np.ix_(learn, learn)] + PENALTY * np.eye(learn.sum())), later[learn] - middle
        )
        ranks, positive = rankdata(kernel[np.ix_(held, learn)] @ solved, axis=0), known.sum(axis=0)
        pairs = np.maximum(positive * (len(known) - positive), 1e-12)
        aucs = ((ranks * known).sum(axis=0) - positive * (positive + 1) / 2) / pairs
        kept.append(np.where(pairs < 1, 0.5, aucs))
    return np.asarray(np.mean(kept, axis=0))
