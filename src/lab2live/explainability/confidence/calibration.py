"""Does 80 % mean 80 %? What the model says held against what happened, beyond what chance explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab2live.data.dataset import Problem
from lab2live.data.intervals import CONFIDENCE, wilson
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount, number
from lab2live.reporting.style import BLUE, INK, QUIET, canvas, clean, drawn, finish, write_title

# Groups of equally many cases, and how few cases a group may have to be read at all.
BINS, FEWEST_IN_BIN = 10, 20
# Redraws of what happened as if every answer were right.
DRAWS = 400


@dataclass(frozen=True)
class Calibration:
    """What the model says against what happened.

    Attributes
    ----------
    problem
        What kind of outcome it is. With more than two classes it is about the most probable one.
    curve
        Columns `said` and `happened` (means of a group of cases with similar answers), `low`, `high` (95 % interval
        of what happened), `cases`; from the lowest answer up.
    error
        Mean distance between both, weighted by cases (Naeini et al. 2015): in probability; in a regression in
        standard deviations of the outcome. `None` if there are too few cases.
    chance
        The error that 19 of 20 models would stay below whose every answer is right: with few cases it is large.
    loss, miscalibration, discrimination, uncertainty
        The mean squared error (the Brier score; over all classes) and its parts: loss = miscalibration -
        discrimination + uncertainty. Miscalibration is what a better scale of the answers would gain; discrimination
        is what the model gains by telling cases apart; uncertainty is the loss of always saying the average.
    """

    problem: Problem
    curve: pd.DataFrame
    error: float | None
    chance: float
    loss: float
    miscalibration: float
    discrimination: float
    uncertainty: float

    @property
    def evidence(self) -> Evidence:
        """Say how far the error surely lies beyond chance."""
        if self.error is None:
            return Evidence(None, f"There are fewer than {FEWEST_IN_BIN} cases to hold answers against.")
        groups = f"{amount(len(self.curve), 'group')} of about {int(self.curve['cases'].median()):,} cases"
        if self.problem == "regression":
            off, most, unit = number(self.error, 2), number(self.chance, 2), "of the spread of the outcome"
        else:
            off, most, unit = f"{100 * self.error:.1f}", f"{100 * self.chance:.1f}", "points of probability"
        beyond = max(0.0, self.error - self.chance)
        says = "no more than chance explains" if beyond == 0 else "more than chance explains"
        return Evidence(
            beyond,
            f"Answers are off by {off} {unit} on average ({groups}); chance alone makes up to {most}: {says}.",
            data={"calibration_error": self.error},
        )

    @property
    def sentence(self) -> str:
        """Say what the mean squared error is made of."""
        if self.error is None:
            return ""
        name = "The mean squared error" if self.problem == "regression" else "The Brier score"
        loss, spread, gained, lost = (
            number(part, 3) for part in (self.loss, self.uncertainty, self.discrimination, self.miscalibration)
        )
        return (
            f"{name} is {loss} (0 would be perfect). Always saying the average gives {spread}; telling cases apart "
            f"takes {gained} off; {lost} is lost because answers are off in size."
        )


def calibration(
    problem: Problem, known: np.ndarray, answers: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> Calibration:
    """Hold answers against what happened.

    Parameters
    ----------
    problem
        What kind of outcome it is.
    known, answers
        Of cases that the model has not learnt from, see `poc.answers`.
    seed
        Of the redraws.
    groups
        Which cases belong together, shape (rows,): what happens to one says something about the others.
    """
    said, happened = _held_against(problem, known, answers)
    parts = _decomposed(problem, known, answers)
    scale = float(np.std(happened)) or 1.0 if problem == "regression" else 1.0
    places = _places(said)
    curve = _curve(problem, said, happened, places)
    if len(said) < FEWEST_IN_BIN:
        return Calibration(problem, curve, None, float("nan"), *parts)
    residual = happened - said
    error = _error(residual, places) / scale
    random = np.random.default_rng(seed)
    by_chance = []
    if problem != "regression":
        by_chance.append([_error((random.random(len(said)) < said) - said, places) for _ in range(DRAWS)])
    if problem == "regression" or groups is not None:
        by_chance.append([_error(flip(residual), places) for flip in [_flipping(random, groups, len(said))] * DRAWS])
    chance = max(float(np.quantile(errors, CONFIDENCE)) for errors in by_chance) / scale
    return Calibration(problem, curve, error, chance, *parts)


def _held_against(problem: Problem, known: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if problem == "multiclass":
        return answers.max(axis=1), (answers.argmax(axis=1) == known).astype(float)
    return np.asarray(answers, dtype=float), np.asarray(known, dtype=float)


def _places(said: np.ndarray) -> np.ndarray:
    """Give the group of every case, shape (rows,): equally many cases each, the same answers together."""
    bins = int(np.clip(len(said) // FEWEST_IN_BIN, 1, BINS))
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1])) if len(said) else np.array([])
    return np.unique(np.searchsorted(edges, said, side="left"), return_inverse=True)[1]


def _error(residual: np.ndarray, places: np.ndarray) -> float:
    return float(np.abs(np.bincount(places, weights=residual)).sum() / len(residual))


def _flipping(random: np.random.Generator, groups: np.ndarray | None, rows: int) -> Callable[[np.ndarray], np.ndarray]:
    """Turn the sign of residuals at random, whole groups at once: the wild bootstrap (Wu 1986, Cameron et al. 2008)."""
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]

    def flip(residual: np.ndarray) -> np.ndarray:
        return np.asarray(residual * random.choice([-1.0, 1.0], int(units.max()) + 1)[units])

    return flip


def _curve(problem: Problem, said: np.ndarray, happened: np.ndarray, places: np.ndarray) -> pd.DataFrame:
    cases = np.bincount(places)
    mean = np.bincount(places, weights=happened) / cases
    if problem == "regression":
        spread = np.bincount(places, weights=(happened - mean[places]) ** 2) / np.maximum(cases - 1, 1)
        reach = 1.96 * np.sqrt(spread / cases)
        low, high = mean - reach, mean + reach
    else:
        low, high = wilson(mean * cases, cases)
    columns = {"said": np.bincount(places, weights=said) / cases, "happened": mean, "low": low, "high": high}
    return pd.DataFrame({**columns, "cases": cases})


def _decomposed(problem: Problem, known: np.ndarray, answers: np.ndarray) -> tuple[float, float, float, float]:
    """Take the mean squared error apart without groups, by isotonic regression (Dimitriadis et al. 2021).

    Returns
    -------
    loss, miscalibration, discrimination, uncertainty
        Summed over the classes where there are more than two.
    """
    from sklearn.isotonic import IsotonicRegression

    pairs = [(answers, known)]
    if problem == "multiclass":
        pairs = [(answers[:, code], (known == code)) for code in range(answers.shape[1])]
    total = np.zeros(4)
    for said, truth in pairs if len(known) else []:
        said, truth = said.astype(float), truth.astype(float)
        right = IsotonicRegression(out_of_bounds="clip").fit_transform(said, truth)
        loss, mended, constant = (float(np.mean((truth - one) ** 2)) for one in (said, right, truth.mean()))
        total += loss, loss - mended, constant - mended, constant
    loss, miscalibration, discrimination, uncertainty = map(float, total)
    return loss, miscalibration, discrimination, uncertainty


@drawn
def chart(found: Calibration, meaning: str, unit: str = "") -> Figure:
    """Draw what happened over what was said; the diagonal is where both agree.

    Parameters
    ----------
    meaning
        What the answers are about: the name of a class, or of the target.
    unit
        Of a regression's target.
    """
    percent, curve = found.problem != "regression", found.curve
    beyond = found.evidence.value
    agree = "agrees with what happened" if not beyond else "is off from what happened"
    title = f"What the model says {agree}"
    figure = canvas(4.0)
    axes = figure.subplots()
    ends = [float(np.nanmin(curve[["said", "low"]])), float(np.nanmax(curve[["said", "high"]]))]
    axes.plot(ends, ends, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    at = ends[0] + 0.8 * (ends[1] - ends[0])
    axes.annotate("as said", (at, at), (10, -4), textcoords="offset points", ha="left", va="top")
    # an interval may end just short of its estimate, as where all of a bin are positive
    reach = np.maximum([curve["happened"] - curve["low"], curve["high"] - curve["happened"]], 0)
    axes.errorbar(curve["said"], curve["happened"], reach, fmt="o", color=BLUE, markersize=6, linewidth=2)
    axes.grid()
    if percent:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    what = f"the chance of {meaning}" if percent else meaning + (f" ({unit})" if unit else "")
    axes.set_xlabel(clean(f"what the model says: {what}"))
    axes.set_ylabel("what happened" + (" (share)" if percent else " (mean)"), color=QUIET)
    write_title(figure, title)
    write = (lambda value: f"{value:.0%}") if percent else (lambda value: number(value))
    facts = [
        f"said {write(row.said)}, happened {write(row.happened)} ({write(row.low)} to {write(row.high)})"
        for row in curve.itertuples()
    ]
    return finish(figure, f"{title}. {clean(what)}: {'; '.join(facts)}.")
