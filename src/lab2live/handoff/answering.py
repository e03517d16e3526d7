"""One answer and everything around it: confidence, reasons, what would flip it, and whether a fallback steps in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab2live.explainability.explainer import Explained, Explainer
from lab2live.explainability.flips import telling_flips
from lab2live.explainability.why import telling
from lab2live.files import plain
from lab2live.handoff import form
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.deciding import MODEL, instead, settled
from lab2live.handoff.fallback import TRIGGERS, otherwise
from lab2live.reporting.formatting import short

WHO = {"rule": "Today's business rule", "baseline": "The usual outcome", "review": "A person"}


@dataclass(frozen=True)
class Refused:
    """An input that the model is not asked about.

    Attributes
    ----------
    problems
        Field and message of each.
    fallback
        Who answers instead, as in `Answering.explain`.
    """

    problems: list[dict[str, str]]
    fallback: dict[str, Any]


@dataclass(frozen=True)
class Answering:
    """A bundle made ready to be asked by people."""

    bundle: Bundle
    explainer: Explainer
    form: Mapping[str, Any]

    def explain(self, values: Mapping[str, Any], declared: str = "") -> dict[str, Any] | Refused:
        """Answer everything about one case.

        Parameters
        ----------
        values
            Field of the form -> value.
        declared
            The trigger of the fallback that holds for every case now, e.g. `drift`; empty for none.

        Returns
        -------
        dict or Refused
            As JSON can hold it: `answer`, `confidence`, `reasons`, `flips`, `fallback`, `unfamiliar`, `derived`.
        """
        case, problems = form.read(self.form, self.explainer, values)
        if problems:
            return Refused(problems, self._fallback("invalid_input", case))
        found = self.explainer.explain(case)
        doubt = "out_of_distribution" if found.strange else "" if found.single else "low_confidence"
        trigger = declared or doubt
        scale, regression = self.explainer.scale, not self.explainer.classes
        told: dict[str, Any] = plain(
            {
                "answer": {
                    "output": found.output,
                    "said": telling.answered(found.reasons, scale),
                    "share": None if regression else float(np.max(found.answer)),
                    "line": self._line(),
                    "why": self.bundle.contract.get("why", ""),
                },
                "confidence": {
                    "words": " ".join(found.sure[:-1]),
                    "set": found.sure[-1],
                    "sure": found.single,
                },
                "reasons": {
                    "start": scale.answer(found.reasons.start, found.reasons.decimals),
                    "end": scale.answer(found.reasons.answer, found.reasons.decimals),
                    "unit": scale.unit,
                    "parts": [
                        {"what": what, "value": value, "text": scale.reason(value, found.reasons.decimals)}
                        for what, value in found.reasons.reasons
                    ],
                    "sentence": telling.sentence(found.reasons, scale),
                },
                "flips": self._flips(found),
                "fallback": self._fallback(trigger, found.row),
                "unfamiliar": list(found.strange),
                "derived": {one.column: found.row[one.column] for one in self.explainer.space.derived},
            }
        )
        return told

    def _line(self) -> float | None:
        line = self.bundle.contract.get("threshold")
        return None if line is None or not 0 < line < 1 else float(line)

    def _flips(self, found: Explained) -> dict[str, Any]:
        options = []
        for title, flip, sentence in telling_flips.options(found.flips, self.explainer.space.sides):
            changes = [
                {"column": one.column, "before": telling_flips.said(one.before), "after": telling_flips.said(one.after)}
                for one in flip.changes
            ]
            values = {one.column: self._typed(one.column, one.after) for one in flip.changes}
            options.append({"title": title, "sentence": sentence, "changes": changes, "values": values})
        return {"none": found.flips.reason, "options": options}

    def _typed(self, column: str, value: Any) -> Any:
        """Write a value of the joined table the way the form takes it."""
        field = next(field for field in self.form["fields"] if field["name"] == column)
        return form.written(value, field)

    def _fallback(self, trigger: str, case: Mapping[str, Any]) -> dict[str, Any]:
        """Say who answers instead of the model, and what."""
        if not trigger:
            return {"would": False, "words": "The model answers; no fallback is needed."}
        policy = self.bundle.contract.get("fallback", {}).get("policy", {})
        answer = settled(policy, trigger)
        if trigger not in policy:
            words = f"Nothing is settled for this: {TRIGGERS[trigger]}. So {otherwise(trigger)}."
            if answer == MODEL:
                return {"would": False, "when": TRIGGERS[trigger], "words": words}
            return {"would": True, "when": TRIGGERS[trigger], "answer": answer, "says": "", "words": words}
        says = self._says(answer, case)
        who = WHO[answer]
        words = f"The model would not decide here: {TRIGGERS[trigger]}. {who} decides" + (f": {says}." if says else ".")
        return {"would": True, "when": TRIGGERS[trigger], "answer": answer, "says": says, "words": words}

    def _says(self, answer: str, case: Mapping[str, Any]) -> str:
        """Write what the rule or the baseline answers; nothing for a person."""
        if answer == "review":
            return ""
        (output,), failed = instead(self.bundle, answer, self.explainer.row(case), 1)
        said = f"'{output}'" if isinstance(output, str) else short(output, 6)
        return f"{said} (the usual outcome, as the rule failed)" if failed else said


def ready(bundle: Bundle) -> Answering:
    """Make a bundle ready to be asked, and ask it once: the first answer loads what later ones need.

    Raises
    ------
    UserError
        If the bundle holds nothing to explain its answers with.
    """
    answering = Answering(bundle, bundle.explainer(), bundle.form())
    for case in answering.form["cases"][:1]:
        answering.explain(case["values"])
    return answering
