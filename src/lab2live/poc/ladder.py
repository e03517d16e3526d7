"""The ladder (G2, P1): from a constant over today's rule to boosting, compared on the same splits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live import charts, files, metrics, modelling, user_code
from lab2live.eda import simulate
from lab2live.errors import UserError
from lab2live.modelling import Dataset, Split
from lab2live.poc.value import cost_optimal_threshold
from lab2live.schema import DEMO_SCHEME, Charter
from lab2live.stage import Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODEL_FILE = "model.skops"
# What a saved model may consist of. Reviewed once and fixed: a file that asks for anything else is not loaded.
TRUSTED = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}
BOOTSTRAPS = 400
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rung:
    """One candidate and how it did.

    Attributes
    ----------
    name
        `constant`, `rule`, `linear` or `boosting`.
    learns
        Whether it is a model; the others are what a model has to beat.
    mean, low, high
        Cross-validated score and its 95 % interval.
    scores
        The score on each validation part.
    test, test_low, test_high
        Score on the test part with its 95 % bootstrap interval.
    fit_seconds
        Median time of one fit.
    """

    name: str
    title: str
    learns: bool
    mean: float
    low: float
    high: float
    scores: tuple[float, ...]
    test: float
    test_low: float
    test_high: float
    fit_seconds: float


@dataclass(frozen=True)
class Ladder:
    """The outcome of the comparison.

    Attributes
    ----------
    metric
        A key of `metrics.METRICS`.
    rungs
        Simplest first.
    chosen
        Name of the simplest model whose paired difference to the best model is within one standard error.
    baseline
        Name of the better one of constant and rule.
    gain, gain_low, gain_high
        Cross-validated paired difference between the chosen model and the baseline, with its 95 % interval.
    confidence
        Probability that the gain is positive.
    optimism
        How many standard errors the test score lies below the cross-validated one.
    reached
        Share of bootstrap test parts on which the required score is reached; `None` without a required score.
    no_rule
        Why there is no rung for the business rule; empty if there is one.
    """

    metric: str
    rungs: tuple[Rung, ...]
    chosen: str
    baseline: str
    gain: float
    gain_low: float
    gain_high: float
    confidence: float
    optimism: float
    reached: float | None
    no_rule: str = ""

    def rung(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results: everything but the seconds, which differ from run to run."""
        content = asdict(self)
        for rung in content["rungs"]:
            del rung["fit_seconds"]
        return content


@dataclass(frozen=True)
class Candidate:
    """What stands on a rung: a factory of models, or a function that needs no learning."""

    name: str
    title: str
    make: Callable[[], Any] | None = None
    answer: Callable[[Dataset, np.ndarray, np.ndarray], np.ndarray] | None = None


def climb(
    charter: Charter, data: Dataset, split: Split, *, folds: int = 5, repeats: int = 2, seed: int = 0
) -> tuple[Ladder, Any]:
    """Compare all candidates on the same splits, choose one, fit it, and open the test part once.

    Parameters
    ----------
    charter
        Metric, required score, and the project's business rule.
    data, split
        See `modelling`.
    folds, repeats
        Of the cross-validation inside the training part.
    seed
        Of everything that is drawn at random.

    Returns
    -------
    ladder, model
        The comparison, and the chosen model fitted on the whole training part.
    """
    metric = metric_of(charter, data)
    score = metrics.score(metric)
    if data.problem == "binary" and metric == "balanced_accuracy":
        # This metric wants decisions: take them where the business would.
        of_decisions, threshold = score, cost_optimal_threshold(charter.business.value.per_case)
        score = lambda outcome, answer: of_decisions(outcome, answer >= threshold)  # noqa: E731
    rule, no_rule = _rule(charter, data)
    candidates = _candidates(data, rule, seed)
    parts = list(modelling.folds(charter, data, split.train, folds, repeats, seed))
    scores: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    answers: dict[str, np.ndarray] = {}
    fitted: dict[str, Any] = {}
    for candidate in candidates:
        name, times = candidate.name, []
        scores[name] = []
        for learn, validate in parts:
            started = time.perf_counter()
            predicted, _ = _answer(candidate, data, learn, validate)
            times.append(time.perf_counter() - started)
            scores[name].append(float(score(data.outcome[validate], predicted)))
        seconds[name] = float(np.median(times))
        answers[name], fitted[name] = _answer(candidate, data, split.train, split.test)
    ratio = len(parts[0][1]) / len(parts[0][0])
    boot = _bootstrap(data.outcome[split.test], answers, score, seed)
    rungs = tuple(
        Rung(
            candidate.name,
            candidate.title,
            candidate.make is not None,
            *interval(np.array(scores[candidate.name]), ratio)[:3],
            tuple(scores[candidate.name]),
            float(score(data.outcome[split.test], answers[candidate.name])),
            *(float(q) for q in np.quantile(boot[candidate.name], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])),
            seconds[candidate.name],
        )
        for candidate in candidates
    )
    chosen = choose([rung for rung in rungs if rung.learns], ratio)
    baseline = max((rung for rung in rungs if not rung.learns), key=lambda rung: rung.mean)
    gain, gain_low, gain_high, confidence = interval(np.array(chosen.scores) - np.array(baseline.scores), ratio)
    spread = np.hypot(corrected_error(np.array(chosen.scores), ratio), boot[chosen.name].std(ddof=1))
    required = charter.prediction.required_score
    ladder = Ladder(
        metric,
        rungs,
        chosen.name,
        baseline.name,
        gain,
        gain_low,
        gain_high,
        confidence,
        optimism=float((chosen.mean - chosen.test) / spread) if spread > 0 else 0.0,
        reached=None if required is None else float((boot[chosen.name] >= required).mean()),
        no_rule=no_rule,
    )
    return ladder, fitted[chosen.name]


def metric_of(charter: Charter, data: Dataset) -> str:
    """Take the charter's metric, or the usual one for the problem."""
    metric = charter.prediction.metric or DEFAULT_METRIC[data.problem]
    if data.problem == "multiclass" and metric != "balanced_accuracy":
        raise UserError(
            "This metric needs exactly two classes.",
            where="project.yaml, field `prediction.metric`",
            found=f"{metric}, and a target with {len(data.classes)} classes",
            expected="balanced_accuracy",
            fix="change the metric, or leave it out",
        )
    return metric


def _rule(charter: Charter, data: Dataset) -> tuple[Callable[[pd.DataFrame], np.ndarray] | None, str]:
    rule = user_code.rule(charter)
    if rule is None:
        return None, "The charter names no package with a business rule (project.package)."
    if data.problem != "multiclass":
        return lambda frame: np.asarray(rule(frame), dtype=float), ""
    codes = {name: code for code, name in enumerate(data.classes)}
    return lambda frame: np.array([codes.get(modelling.label(value), -1) for value in rule(frame)]), ""


def _candidates(data: Dataset, rule: Callable[[pd.DataFrame], np.ndarray] | None, seed: int) -> list[Candidate]:
    found = [Candidate("constant", "Always the same answer", answer=_constant)]
    if rule is not None:
        answer = rule
        found.append(
            Candidate("rule", "Today's business rule", answer=lambda data, _, rows: answer(data.raw.iloc[rows]))
        )
    found.append(Candidate("linear", "Linear model", make=lambda: modelling.linear(data)))
    found.append(Candidate("boosting", "Gradient boosting", make=lambda: modelling.boosting(data, seed)))
    return found


def _constant(data: Dataset, learn: np.ndarray, rows: np.ndarray) -> np.ndarray:
    known = data.outcome[learn]
    value = np.bincount(known).argmax() if data.problem == "multiclass" else known.mean()
    return np.full(len(rows), value)


def _answer(candidate: Candidate, data: Dataset, learn: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, Any]:
    if candidate.make is None:
        assert candidate.answer is not None
        return candidate.answer(data, learn, rows), None
    model = modelling.fit(candidate.make(), data, learn)
    return modelling.predict(model, data.inputs.iloc[rows]), model


def corrected_error(scores: np.ndarray, ratio: float) -> float:
    """Give the standard error of a mean over overlapping training parts.

    Parameters
    ----------
    scores
        One per validation part.
    ratio
        Size of a validation part over that of its training part.

    Returns
    -------
    float
        Nadeau and Bengio (2003), "Inference for the generalization error": the naive error ignores that training
        parts share rows, and is far too small.
    """
    if len(scores) < 2:
        return float("nan")
    return float(np.sqrt((1 / len(scores) + ratio) * scores.var(ddof=1)))


def interval(scores: np.ndarray, ratio: float) -> tuple[float, float, float, float]:
    """Give mean, 95 % interval and the probability of being positive, by the corrected t distribution."""
    from scipy import stats

    mean, error = float(scores.mean()), corrected_error(scores, ratio)
    if not error > 0:  # one split only, or no variation: there is no interval to show
        return mean, mean, mean, float(mean > 0) if error == 0 else float("nan")
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1)) * error
    return mean, mean - reach, mean + reach, float(stats.t.cdf(mean / error, len(scores) - 1))


def choose(models: Sequence[Rung], ratio: float) -> Rung:
    """Choose the simplest model whose paired difference to the best is within one standard error.

    Parameters
    ----------
    models
        Simplest first.
    ratio
        See `corrected_error`.
    """
    best = max(models, key=lambda rung: rung.mean)
    for rung in models:
        difference = np.array(best.scores) - np.array(rung.scores)
        if rung is best or difference.mean() <= corrected_error(difference, ratio):
            return rung
    return best


def _bootstrap(
    outcome: np.ndarray, answers: dict[str, np.ndarray], score: Callable[..., float], seed: int
) -> dict[str, np.ndarray]:
    """Score all rungs on the same resampled test parts; a resample with one class only is drawn again."""
    random = np.random.default_rng(seed)
    draws: list[np.ndarray] = []
    few = len(np.unique(outcome)) < 2
    while len(draws) < BOOTSTRAPS:
        rows = random.integers(len(outcome), size=len(outcome))
        if few or len(np.unique(outcome[rows])) > 1:
            draws.append(rows)
    return {name: np.array([score(outcome[rows], answer[rows]) for rows in draws]) for name, answer in answers.items()}


def scores_table(ladder: Ladder) -> pd.DataFrame:
    """Show the ladder, simplest rung first."""
    return pd.DataFrame(
        [
            {
                "candidate": rung.title + (" (chosen)" if rung.name == ladder.chosen else ""),
                "cross-validated": rung.mean,
                "from": rung.low,
                "to": rung.high,
                "test part": rung.test,
                "test from": rung.test_low,
                "test to": rung.test_high,
            }
            for rung in ladder.rungs
        ]
    )


def sentence(ladder: Ladder) -> str:
    """Say what the ladder shows."""
    chosen, label = ladder.rung(ladder.chosen), metrics.METRICS[ladder.metric].label
    best = max((rung for rung in ladder.rungs if rung.learns), key=lambda rung: rung.mean)
    text = f"{chosen.title}: {label} {chosen.mean:.3f} ({chosen.low:.3f} to {chosen.high:.3f})."
    if best is chosen:
        return f"{text} No other candidate scores higher."
    return f"{text} {best.title} scores {best.mean:.3f}, which is no more than one standard error better."


def gain_sentence(ladder: Ladder) -> str:
    """Say by how much the model beats what needs no learning."""
    chosen, baseline = ladder.rung(ladder.chosen).title, ladder.rung(ladder.baseline).title
    return (
        f"{chosen} scores {ladder.gain:+.3f} ({ladder.gain_low:+.3f} to {ladder.gain_high:+.3f}) against "
        f"'{baseline}'; the probability that it is better is {ladder.confidence:.1%}. {ladder.no_rule}"
    ).strip()


def required(charter: Charter, ladder: Ladder) -> tuple[float | None, str]:
    """Say whether the score is reached that the charter asks for."""
    score, chosen = charter.prediction.required_score, ladder.rung(ladder.chosen)
    if score is None:
        return None, "The charter states no required score (prediction.required_score)."
    return ladder.reached, (
        f"{score:g} is needed; the held-back part shows {chosen.test:.3f} ({chosen.test_low:.3f} to "
        f"{chosen.test_high:.3f}), and {ladder.reached:.0%} of its resamples reach it."
    )


def optimism_sentence(ladder: Ladder) -> str:
    """Say how the held-back part compares with the cross-validation."""
    chosen = ladder.rung(ladder.chosen)
    return (
        f"Cross-validated {chosen.mean:.3f}, on the held-back part {chosen.test:.3f}: {abs(ladder.optimism):.1f} standard "
        f"errors {'lower' if ladder.optimism > 0 else 'higher'}."
    )


def chart(charter: Charter, ladder: Ladder) -> Figure:
    """Draw the ladder with its intervals, and the limit of what is reachable where it is known."""
    rungs = ladder.rungs
    return charts.intervals(
        [rung.title for rung in rungs],
        [rung.mean for rung in rungs],
        [rung.low for rung in rungs],
        [rung.high for rung in rungs],
        f"{ladder.rung(ladder.chosen).title} is the simplest model as good as the best",
        f"{metrics.METRICS[ladder.metric].label}, cross-validated, 95 % interval",
        chosen=ladder.rung(ladder.chosen).title,
        reference=known_limit(charter, ladder.metric),
        reference_label="nobody can do better with these columns",
    )


def known_limit(charter: Charter, metric: str) -> float | None:
    """Give the best score that these columns allow, where it is known: for the simulated demo and its own metric."""
    if not charter.is_demo or metric != "roc_auc":
        return None
    truth = simulate.demo_file(f"{DEMO_SCHEME}telecom/{simulate.TRUTH}", charter.folder)
    return float(files.read_json(truth)["bayes_roc_auc"])


def save(stage: Stage, model: Any) -> None:
    """Keep the fitted model as an artefact of the run, in a format that runs no code when it is read."""
    import skops.io

    path = stage.path(MODEL_FILE)
    files.write_bytes(path, skops.io.dumps(model))
    stage.artefact(path, "The chosen model (skops)")


def fitted(stage: Stage, charter: Charter, data: Dataset, split: Split) -> tuple[str, Any, bool]:
    """Give the chosen model: from this run if it is up to date, else by climbing the ladder again.

    Returns
    -------
    name, model, from_run
        Which rung it stands on, the fitted pipeline, and whether it was taken from the run.
    """
    import skops.io

    result = stage.upstream("poc")
    path = stage.path(MODEL_FILE)
    if result is not None and path.is_file():
        return result["ladder"]["chosen"], skops.io.loads(path.read_bytes(), trusted=list(TRUSTED)), True
    ladder, model = climb(charter, data, split, seed=stage.seed)
    return ladder.chosen, model, False
