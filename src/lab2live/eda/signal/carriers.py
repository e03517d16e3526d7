"""Which columns carry the signal (L3)? Those that are worth more than shuffled copies of columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.eda.signal import quick
from lab2live.errors import UserError
from lab2live.reporting import plots
from lab2live.reporting.formatting import agree, amount, minus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cases used at most.
ROWS = 6_000
FOLDS = 3
# Shuffled copies: the best of many is a hard opponent, and each costs as much time as a column.
MOST_COPIES = 20
FEWEST_COPIES = 5
# Losses of scores between 0 and 1 mean nothing beyond the third decimal.
DECIMALS = 3

Verdict = Literal["carries", "unclear", "no better than noise"]


@dataclass(frozen=True)
class Carrier:
    """What one column adds to the score.

    Attributes
    ----------
    importance, low, high
        By how much the score on held-out cases falls when the column is shuffled: mean, lowest and highest part.
    beaten
        In which share of the parts it was above every shuffled copy.
    """

    column: str
    importance: float
    low: float
    high: float
    beaten: float
    verdict: Verdict


@dataclass(frozen=True)
class Carriers:
    """Which columns carry the signal, the strongest first; `noise` is the best of the shuffled copies, on average."""

    columns: tuple[Carrier, ...]
    noise: float = float("nan")
    measure: str = ""
    problem: str = ""

    @property
    def sentence(self) -> str:
        if self.problem:
            return f"It cannot be said which columns carry the signal. {self.problem}"
        names = {
            verdict: [carrier.column for carrier in self.columns if carrier.verdict == verdict]
            for verdict in ("carries", "no better than noise")
        }
        carrying, idle = names["carries"], names["no better than noise"]
        carry = agree(len(carrying), "carries", "carry")
        first = f"{len(carrying)} of {amount(len(self.columns), 'column')} {carry} the signal"
        first += f", first {', '.join(carrying[:3])}" if carrying else ""
        last = (
            f"; {len(idle)} {agree(len(idle), 'adds', 'add')} no more than a shuffled copy: {', '.join(idle[:5])}"
            if idle
            else ""
        )
        return f"{first}{last}. Columns that say the same share what they carry."

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {
                    "column": carrier.column,
                    "adds to the score": round(carrier.importance, 4),
                    "lowest": round(carrier.low, 4),
                    "highest": round(carrier.high, 4),
                    "verdict": carrier.verdict,
                }
                for carrier in self.columns
            ]
        )

    def figure(self, most: int = 15) -> Figure:
        """Draw what the columns add, against the best of the shuffled copies."""
        shown = self.columns[:most]
        carrying = sum(carrier.verdict == "carries" for carrier in self.columns)
        return plots.intervals(
            [carrier.column for carrier in shown],
            [carrier.importance for carrier in shown],
            [carrier.low for carrier in shown],
            [carrier.high for carrier in shown],
            f"{carrying} of {amount(len(self.columns), 'column')} {agree(carrying, 'carries', 'carry')} the signal",
            f"loss when shuffled ({self.measure})",
            reference=self.noise if np.isfinite(self.noise) else None,
            reference_label="best shuffled copy",
            write=_rounded,
        )


@quick.on_one_thread
def carriers(charter: Charter, data: Dataset, seed: int = 0, repeats: int = 3) -> Carriers:
    """Ask which columns carry the signal: those that beat shuffled copies of columns.

    A cheap model that sees interactions learns from the columns and from shuffled copies of them; then each one is
    shuffled in held-out cases (permutation importance, Breiman 2001). A column carries the signal when it beats the
    best copy nearly always: Kursa and Rudnicki (2010), "Feature selection with the Boruta package".

    Parameters
    ----------
    charter, data
        At most `ROWS` cases are used.
    seed
        Of everything that is drawn.
    repeats
        Each with new folds and new copies.
    """
    small = quick.balanced(charter, data, ROWS, seed)
    own, known = quick.matrix(small), quick.truth(small)
    random = np.random.default_rng(seed)
    try:
        parts = splits.folds(charter, small, np.arange(len(own)), FOLDS, repeats, seed)
    except UserError as error:
        return Carriers((), problem=error.problem)
    losses = []
    for number, (learn, validate) in enumerate(parts):
        chosen = random.permutation(own.shape[1])[:MOST_COPIES]
        chosen = np.resize(chosen, max(len(chosen), FEWEST_COPIES))
        copies = np.column_stack([random.permutation(own[:, j]) for j in chosen])
        inputs = np.column_stack([own, copies])
        model = quick.learner(small, len(learn), seed + number).fit(inputs[learn], small.outcome[learn])
        losses.append(_losses(small, model, inputs[validate], known[validate], random))
    loss = np.array(losses)
    noise = loss[:, own.shape[1] :].max(axis=1)
    found = [
        Carrier(name, *_summary(loss[:, j]), *_judged(loss[:, j] - noise)) for j, name in enumerate(small.columns.kinds)
    ]
    ordered = tuple(sorted(found, key=lambda carrier: -carrier.importance))
    return Carriers(ordered, float(noise.mean()), quick.MEASURE[data.problem])


def _rounded(value: float) -> str:
    """Write a loss with the decimals that can matter: what is smaller is none."""
    return minus(f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}")


def _losses(
    data: Dataset, model: Any, inputs: np.ndarray, known: np.ndarray, random: np.random.Generator
) -> list[float]:
    full = quick.skill(data, known, quick.answers(model, inputs))
    order, found = random.permutation(len(inputs)), []
    for j in range(inputs.shape[1]):
        spoilt = inputs.copy()
        spoilt[:, j] = inputs[order, j]
        found.append(full - quick.skill(data, known, quick.answers(model, spoilt)))
    return found


def _summary(losses: np.ndarray) -> tuple[float, float, float]:
    return float(losses.mean()), float(losses.min()), float(losses.max())


def _judged(lead: np.ndarray) -> tuple[float, Verdict]:
    """Judge by how often a column is ahead of the best copy: parts share rows, so nothing finer would be honest."""
    beaten = float((lead > 0).mean())
    return beaten, "carries" if beaten >= 0.85 else "no better than noise" if beaten <= 0.5 else "unclear"
