"""Is there anything to learn (L3)? Whether the columns know the outcome at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.eda.signal import quick
from lab2live.errors import UserError
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount, score_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cases used at most: enough to see any signal worth having, few enough for a thousand fits.
ROWS = 2_000
FOLDS = 3
# Time is shuffled in so many stretches: what is close in time stays together.
STRETCHES = 50
# Fewer groups have too few orders to shuffle them into: 7! is 5,040.
FEWEST_GROUPS = 7
# The limit at which the linear model has found enough, and interactions need not be looked for.
FOUND = 0.01


@dataclass(frozen=True)
class Signal:
    """The outcome of a permutation test.

    Attributes
    ----------
    p
        How likely a score like this is when the columns know nothing; `None` when it could not be computed.
    score
        On held-out parts, as `measure` says.
    shuffled
        The scores with shuffled outcomes, sorted.
    model
        What saw it: `a linear model`, or `a model of pairs of columns`.
    measure, rows, problem
        What the score is, of how many cases, and why there is none.
    """

    p: float | None
    score: float = float("nan")
    shuffled: tuple[float, ...] = ()
    model: str = ""
    measure: str = ""
    rows: int = 0
    problem: str = ""

    @property
    def evidence(self) -> Evidence:
        """Give the p-value with its chart, kept as `signal`."""
        return Evidence(self.p, self._sentence, figure=self.figure(), data={"signal": asdict(self)})

    @property
    def _sentence(self) -> str:
        if self.p is None:
            return self.problem
        says = (
            "The columns know something about the outcome"
            if self.p <= FOUND
            else "It is not sure that the columns know anything"
        )
        real, by_chance = (score_text(one, decimals=2) for one in (self.score, self.shuffled[-1]))
        return (
            f"{says}. {self.model.capitalize()} scores {real} on held-out cases ({self.measure}), with the outcomes "
            f"shuffled {amount(len(self.shuffled), 'time')} {by_chance} at best ({amount(self.rows, 'case')})."
        )

    def figure(self) -> Figure:
        """Draw the score beside those of shuffled outcomes."""
        spread = self.shuffled or (float("nan"),)
        clear = self.p is not None and self.p <= FOUND
        title = "The columns know more than chance" if clear else "The columns do not clearly know more than chance"
        return plots.intervals(
            ["outcomes as they are", "outcomes shuffled"],
            [self.score, float(np.median(spread))],
            [self.score, min(spread)],
            [self.score, max(spread)],
            title,
            self.measure or "score",
        )


@quick.on_one_thread
def is_any(charter: Charter, data: Dataset, seed: int = 0, permutations: int = 499) -> Signal:
    """Test whether the columns know anything about the outcome, by shuffling it.

    The linear model comes first. It is blind to what only two columns together tell, so when it finds nothing, a
    model of all pairs of columns is tried too; the p-value is doubled for these two tries (Bonferroni). Both are ridge
    regressions on the classes or ranks: their answers are linear in the outcome, so that all shuffles cost little more
    than one. Rows of one group stay together, as do rows close in time where the charter names a time column.

    Parameters
    ----------
    charter, data
        Which cases belong together, and the cases; at most `ROWS`, classes as equally frequent as they can be.
    seed
        Of the sample, the folds and the shuffles.
    permutations
        With n of them no p-value can be below 2 / (n + 1): 199 are the fewest that can pass a limit of 0.01.

    Returns
    -------
    Signal
        p = (1 + number of shuffles that score as high) / (1 + shuffles): Ojala and Garriga (2010), "Permutation tests
        for studying classifier performance", test 1.
    """
    small = quick.balanced(charter, data, ROWS, seed)
    rows = np.arange(len(small.outcome))
    blocks = _blocks(charter, small)
    if blocks is not None and blocks.max() + 1 < FEWEST_GROUPS:
        return Signal(None, problem=f"There are too few groups to shuffle: {blocks.max() + 1}.")
    try:
        parts = splits.folds(charter, small, rows, FOLDS, 1, seed)
    except UserError as error:
        return Signal(None, problem=error.problem)
    random = np.random.default_rng(seed)
    orders = np.column_stack([rows, *(_shuffled(rows, blocks, random) for _ in range(permutations))])
    columns = quick.encoded(small)
    linear = columns @ columns.T
    linear /= max(float(np.trace(linear)) / len(rows), 1e-12)
    best: tuple[float, np.ndarray, str] | None = None
    for kernel, name in ((linear, "a linear model"), ((1 + linear) ** 2, "a model of pairs of columns")):
        scores = _scores(small, kernel, orders, parts)
        if not np.isfinite(scores[0]):
            return Signal(None, problem="No held-out part has more than one class.")
        p = (1 + int((scores[1:] >= scores[0]).sum())) / (1 + permutations)
        if best is None or p < best[0]:
            best = (p, scores, name)
        if 2 * p <= FOUND:
            break
    assert best is not None
    p, scores, name = best
    shuffled = tuple(np.sort(scores[1:]).tolist())
    return Signal(min(1.0, 2 * p), float(scores[0]), shuffled, name, quick.MEASURE[data.problem], len(rows))


def _blocks(charter: Charter, data: Dataset) -> np.ndarray | None:
    """Number the rows that must be shuffled together."""
    groups = splits.groups(charter, data, np.arange(len(data.outcome)))
    if groups is not None:
        return np.unique(groups, return_inverse=True)[1]
    if charter.prediction.time_column in data.raw:
        return np.arange(len(data.outcome)) * min(STRETCHES, len(data.outcome)) // len(data.outcome)
    return None


def _shuffled(rows: np.ndarray, blocks: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
    """Say from which row each row gets its outcome: whole blocks, laid one after the other in a new order."""
    if blocks is None:
        return random.permutation(rows)
    place = random.permutation(blocks.max() + 1)
    given = np.empty_like(rows)
    given[np.argsort(blocks, kind="stable")] = np.argsort(place[blocks], kind="stable")
    return given


def _scores(data: Dataset, kernel: np.ndarray, orders: np.ndarray, parts: list[Any]) -> np.ndarray:
    """Score kernel ridge regression under every order of the outcomes: the mean over parts and classes."""
    from scipy.linalg import cho_factor, cho_solve

    known = quick.truth(data)
    found = np.full((len(parts), known.shape[1], orders.shape[1]), np.nan)
    for i, (learn, validate) in enumerate(parts):
        # the penalty is one case's worth: the kernel has a mean diagonal of about one
        factor = cho_factor(kernel[np.ix_(learn, learn)] + np.eye(len(learn)))
        for k in range(known.shape[1]):
            outcomes = known[:, k][orders]
            middle = outcomes[learn].mean(axis=0)
            answers = middle + kernel[np.ix_(validate, learn)] @ cho_solve(factor, outcomes[learn] - middle)
            found[i, k] = quick.skills(data, outcomes[validate], answers)
    flat = found.reshape(-1, orders.shape[1])
    counted = np.isfinite(flat)
    totals: np.ndarray = np.where(counted, flat, 0).sum(axis=0) / np.where(
        counted.any(axis=0), counted.sum(axis=0), np.nan
    )
    return totals
