"""Retrain, watch, or mend something else? What follows from the alerts, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab2live.handoff.alerts import Judged

SERVICE = ("service_down", "bundle_intact", "model_silent", "model_errors")
SOURCE = ("input_broken", "invalid_rate")
WORSE = ("realised_performance", "realised_value")
CHANGED = ("input_drift", "prediction_drift", "fallback_rate", "estimated_performance")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    id
        As in `monitoring.json`.
    one_of, and_one_of
        Alerts of which one fires; the second only where it names any.
    none_of
        Alerts of which none fires.
    computed
        Alerts of which one could be computed.
    advice
        What follows.
    """

    id: str
    one_of: tuple[str, ...]
    advice: str
    and_one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()

    def fits(self, firing: set[str], known: set[str]) -> bool:
        """Say whether this line is about what was found."""
        return (
            (not self.one_of or bool(firing & set(self.one_of)))
            and (not self.and_one_of or bool(firing & set(self.and_one_of)))
            and not firing & set(self.none_of)
            and (not self.computed or bool(known & set(self.computed)))
        )


# The first line that fits counts: nobody should retrain on broken data, or for a service that is down.
TABLE = (
    Row(
        "mend_service",
        SERVICE,
        "Do not retrain. The service or the bundle is broken: bring it back first, then judge the batch again.",
    ),
    Row(
        "mend_source",
        SOURCE,
        "Do not retrain. The data are broken on their way here: mend the source, and judge the batch again.",
    ),
    Row(
        "retrain",
        WORSE,
        "Retrain on newer cases: the model does worse than when it was tested, and the cases have changed.",
        and_one_of=CHANGED,
    ),
    Row(
        "concept_changed",
        WORSE,
        "Retrain on newer outcomes only, and ask why: the cases look the same, but they end differently than they did.",
    ),
    Row(
        "watch",
        CHANGED,
        "Do not retrain yet, but watch: the cases have changed, and by the outcomes the model does as well as before.",
        computed=WORSE,
    ),
    Row(
        "get_outcomes",
        CHANGED,
        "Get outcomes of some of these cases: they have changed, and nobody knows yet whether the model still holds.",
    ),
    Row("retrain_old", ("staleness",), "Retrain as a matter of routine: the model is old."),
    Row("look_at_service", ("drift_declared", "latency", "server_errors", "service_fallback"),
        "Do not retrain. The model holds; look at what the service's alert asks for."),
    Row("nothing", (), "Nothing to do: what could be computed is as it was when the model was tested.",
        computed=("input_drift", "realised_performance")),
    Row("unknown", (), "Nothing can be said: too few cases to judge. Collect a larger batch."),
)  # fmt: skip


def advise(judged: Sequence[Judged]) -> Row:
    """Give the line of the table that fits."""
    firing = {one.id for one in judged if one.fires}
    known = {one.id for one in judged if one.status != "skip"}
    return next(row for row in TABLE if row.fits(firing, known))
