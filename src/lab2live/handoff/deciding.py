"""What is answered about each of many cases, and by whom: the model, or whom the charter names when it cannot (L1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.columns import prepare
from lab2live.explainability.explainer import Explainer
from lab2live.explainability.failures.unfamiliar import strange
from lab2live.handoff import form
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.checking import check
from lab2live.words import short

MODEL = "model"
# Who answers where the model cannot and the charter has settled nothing: a person has to.
UNSETTLED = "review"


@dataclass(frozen=True)
class Deciding:
    """A bundle made ready to decide about many cases.

    Attributes
    ----------
    bundle, explainer, form
        See there.
    """

    bundle: Bundle
    explainer: Explainer
    form: Mapping[str, Any]

    def decide(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answer about some cases.

        Parameters
        ----------
        rows
            The fields of the form; other columns are not looked at.

        Returns
        -------
        pandas.DataFrame
            A row per case, in the same order: `answer` (the probability of the positive class, of the most probable
            one of several, or the number; empty where the model did not answer), `output` (the class or the number that
            is to be acted on; empty where a person decides), `source` (`model`, `rule`, `baseline` or `review`),
            `reason` (the trigger; empty for the model) and `detail` (what is wrong with the input).
        """
        read, problems = check(self.form["fields"], rows)
        joined = form.as_joined(self.explainer, read)
        carried = [name for name in rows if name in self.explainer.unasked]
        joined = pd.concat([joined, rows[carried]], axis=1)
        table = self.explainer.table(joined)
        reason = np.full(len(rows), "", dtype=object)
        detail: list[list[str]] = [[] for _ in range(len(rows))]
        for row, field, message in problems:
            reason[row] = "invalid_input"
            detail[row].append(f"{field}: {message}")
        answers = self._asked(table, reason)
        source = self._sources(reason)
        output = np.full(len(rows), "", dtype=object)
        by_model = source == MODEL
        output[by_model] = self._outputs(answers[by_model])
        for who in ("rule", "baseline"):
            if (source == who).any():
                output[source == who], _ = instead(self.bundle, who, table[source == who])
        said = answers if answers.ndim == 1 else answers.max(axis=1)
        return pd.DataFrame(
            {
                "answer": said,
                "output": output,
                "source": source,
                "reason": reason,
                "detail": ["; ".join(texts) for texts in detail],
            },
            index=rows.index,
        )

    def _asked(self, table: pd.DataFrame, reason: np.ndarray) -> np.ndarray:
        """Ask the model about the cases that keep the contract, and note where its answer is not to be followed."""
        classes = len(self.explainer.classes)
        answers = np.full((len(table), classes) if classes > 2 else len(table), np.nan)
        good = np.flatnonzero(reason == "")
        if not len(good):
            return answers
        try:
            featured = self.explainer.add_features(table.iloc[good])
            inputs = prepare(featured, self.explainer.columns)
            answers[good] = self.explainer.predict(table.iloc[good])
        except Exception:  # the user's features, or the model: whatever it is, somebody has to answer
            reason[good] = "model_error"
            return answers
        finite = np.isfinite(answers[good]).reshape(len(good), -1).all(axis=1)
        unknown = np.array([bool(texts) for texts in strange(self.explainer.familiar, inputs)])
        single = self.explainer.sure.single(answers[good])
        reason[good] = np.select(
            [~finite, unknown, ~single], ["model_error", "out_of_distribution", "low_confidence"], ""
        ).astype(object)
        return answers

    def _sources(self, reason: np.ndarray) -> np.ndarray:
        policy = self.bundle.contract["fallback"]["policy"]
        source = np.full(len(reason), MODEL, dtype=object)
        for trigger in set(reason) - {""}:
            cannot = trigger in ("invalid_input", "model_error")
            source[reason == trigger] = policy.get(trigger, UNSETTLED if cannot else MODEL)
        return source

    def _outputs(self, answers: np.ndarray) -> list[str]:
        if not self.explainer.classes:
            return [short(float(answer), 6) for answer in answers]
        return (
            [self.explainer.classes[code] for code in self.explainer.space.sides.code(answers)] if len(answers) else []
        )


def instead(bundle: Bundle, who: str, table: pd.DataFrame) -> tuple[list[str], bool]:
    """Let the rule answer, or the baseline.

    Parameters
    ----------
    who
        `rule` or `baseline`.
    table
        Rows of the joined table.

    Returns
    -------
    outputs, failed
        One per row; and whether the rule failed, so that the baseline answers for it.
    """
    contract = bundle.contract
    if who == "rule":
        try:
            scores = np.asarray(bundle.rule(table))
            return [named(contract, score, contract["fallback"]["rule_line"]) for score in scores], False
        except Exception:  # the user's code, asked about an input that may be nonsense
            pass
    return [named(contract, contract["baseline"], contract["threshold"])] * len(table), who == "rule"


def named(contract: Mapping[str, Any], value: Any, line: float | None) -> str:
    """Write what a score of the rule, or the baseline, means: a class, or a number."""
    if contract["problem"] == "regression":
        return short(float(value), 6)
    if contract["problem"] == "binary":
        return str(contract["classes"][int(float(value) >= (0.5 if line is None else line))])
    return str(contract["classes"][int(value)] if isinstance(value, int | np.integer) else value)
