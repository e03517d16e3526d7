"""What a run has found when its last stage writes for people: the charter, every stage's results, every gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab2live.charter import gates
from lab2live.charter.gates import GateResult
from lab2live.charter.schema import Charter
from lab2live.pipeline import decision as verdict

if TYPE_CHECKING:
    from lab2live.pipeline.context import RunContext

NOT_RUN = "This stage has no current results in this run."


@dataclass(frozen=True)
class Findings:
    """All that may be told; nothing else is.

    Attributes
    ----------
    charter
        Who, what for, and what a decision is worth.
    results
        By stage, as `results/<stage>.json` holds them; a stage without current results is not in it.
    mark
        What all of it has to say of itself, such as that the data are a stand-in; empty where they are the real ones.
    """

    charter: Charter
    results: Mapping[str, Mapping[str, Any]]
    mark: str = ""

    @cached_property
    def gates(self) -> dict[str, GateResult]:
        """Every gate of the journey by its id; one that nobody judged is `skip` with the reason."""
        why_not = {name: NOT_RUN for name in gates.STAGES if name not in self.results}
        return {gate.id: gate for gate in verdict.collect(self.charter, self.results, why_not)}

    def found(self, stage: str, name: str) -> Any:
        """Give one of a stage's findings; `None` if it is not there."""
        return self.results.get(stage, {}).get(name)

    def computed(self, gate_id: str) -> bool:
        """Say whether a gate was really computed."""
        return self.gates[gate_id].status != "skip"

    @property
    def is_sample(self) -> bool:
        """Whether a stage saw only a part of the cases."""
        return any(result.get("parameters", {}).get("sample") for result in self.results.values())

    def decision(self) -> tuple[verdict.Decision, list[str]]:
        """Apply the rule of the verdict to what is known now: the verdict itself is written after the last stage."""
        return verdict.decide(
            list(self.gates.values()),
            stand_ins=self.charter.stand_ins,
            demo=self.charter.is_demo,
            sampled=self.is_sample,
        )


def of_run(run: RunContext) -> Findings:
    """Gather what a run has found so far: earlier stages from their files, the last one from its notebook."""
    results = {name: found for name in gates.STAGES if (found := run.upstream(name)) is not None and name != run.name}
    own = {
        "parameters": run.parameters,
        "gates": [gate.as_dict() for gate in run.gates],
        "measures": run.measures,
        **run.evidence,
    }
    return Findings(run.charter, {**results, run.name: own}, run.mark)
