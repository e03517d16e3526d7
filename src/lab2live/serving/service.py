"""What answers behind HTTP: the live bundle, those who wait for it, the counters, and the cases for people."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from lab2live.errors import UserError
from lab2live.handoff.deciding import Decided
from lab2live.serving.guard import Log, lines
from lab2live.serving.live import Live, Running
from lab2live.serving.metrics import Metrics
from lab2live.serving.review import Reviews
from lab2live.serving.together import Together

if TYPE_CHECKING:
    from lab2live.handoff.answering import Answering

# Seconds between two looks at the files of the bundle.
WATCH = 5.0
LACKING = "Explanations are not available here: {} is not installed. Install the bundle's deploy/requirements.lock."


@dataclass(frozen=True)
class Settings:
    """How a service is run.

    Attributes
    ----------
    state
        Where the cases lie that a person has to decide; `None` for nowhere: then they are only counted.
    key
        What programs have to send as `X-API-Key`; empty for no key.
    rate
        Requests per second and address; `None` for no limit.
    hosts
        See `Guard`.
    logged
        Whether every request gets a line of the log, or only what is out of the ordinary.
    drilled
        Whether `POST /drill` may make the model fail or hang.
    """

    state: Path | None = None
    key: str = ""
    rate: float | None = None
    hosts: frozenset[str] = frozenset()
    logged: bool = False
    drilled: bool = False


class Service:
    """What answers: the live bundle, those who wait, the counters and the queue."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.live = Live.of(folder)
        self.metrics = Metrics()
        self.reviews = None if settings.state is None else Reviews(settings.state)
        self.keyed = bool(settings.key)
        self.log: Log = lines(sys.stderr)
        if self.live.now.problem:
            self.log("not_whole", problem=self.live.now.problem)
        self.together = Together(
            self.answers,
            lambda cases: self.answers(cases, "time_out"),
            self.plainly,
            lambda: self.live.now.seconds,
        )
        self._explainers: dict[str, Future[Answering]] = {}
        self._explain = ThreadPoolExecutor(1, "explain")
        self._one_at_a_time = threading.Lock()
        self.prepare()
        self.note()

    def answers(self, cases: Sequence[Mapping[str, Any]], trigger: str = "") -> list[dict[str, Any]]:
        """Answer about some cases, as JSON can hold it."""
        return _written(*self.live.about(cases, trigger))

    def plainly(self, cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answer about some cases when everything else takes too long."""
        running = self.live.now
        return _written(running, running.plainly(len(cases), "time_out"))

    async def given(self, cases: Sequence[dict[str, Any]], facts: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer about the cases of a request, keep those that a person has to decide, and count.

        Only here: an answer that came too late was never given.

        Parameters
        ----------
        cases
            Field to value, each.
        facts
            Gets what the log says of it: who answered, and why not the model.
        """
        answers = await self.together.ask(cases)
        waiting = [place for place, answer in enumerate(answers) if answer["served_by"] == "review"]
        if waiting and self.reviews is not None:
            await run_in_threadpool(self._keep, self.reviews, cases, answers, waiting)
        by: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for answer in answers:
            by[answer["served_by"]] += 1
            if answer["reason"]:
                reasons[answer["reason"]] += 1
            self.metrics.case(answer["served_by"], answer["reason"])
        facts |= {"cases": len(answers), "by": by, "reasons": reasons, "integrity": self.live.intact}
        return answers

    def _keep(self, reviews: Reviews, cases: Sequence[Any], answers: list[dict[str, Any]], waiting: list[int]) -> None:
        kept = []
        for place in waiting:
            detail = "; ".join(f"{one['field']}: {one['message']}" for one in answers[place]["problems"])
            kept.append((answers[place]["reason"], detail, cases[place]))
        try:
            numbers = reviews.add(answers[waiting[0]]["bundle"], kept)
            self.metrics.reviews.set(reviews.count())
        except Exception as error:  # a full disk: the answer is given all the same, and says that nobody will decide
            self.log("review_not_kept", error=type(error).__name__)
            return
        for place, number in zip(waiting, numbers, strict=True):
            answers[place]["review"] = number

    def prepare(self) -> None:
        """Load what explains the answers of the live bundle, beside everything else: it takes seconds."""
        running = self.live.now
        kept = {
            name: made for name, made in self._explainers.items() if self.live.before and name == self.live.before.name
        }
        if not running.problem:
            kept[running.name] = self._explainers.get(running.name) or self._explain.submit(_explaining, running)
        self._explainers = kept

    def explained(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer everything about one case: status and content."""
        made = None if self.live.now.problem else self._explainers.get(self.live.now.name)
        if made is None:
            return 503, {
                "message": "The bundle is not whole, so that the model does not answer. The fallback does: /predict."
            }
        try:
            from lab2live.handoff.answering import Refused

            answering = made.result()
            with self._one_at_a_time:
                found = answering.explain(values, "drift" if self.live.drifted else "")
        except UserError as error:
            return 503, {"message": str(error)}
        except ImportError as error:
            return 503, {"message": LACKING.format(error.name)}
        except Exception as error:
            # the message may hold what was sent: only its kind goes into the log
            self.log("explanation_failed", error=type(error).__name__)
            return 500, {"message": "The model could not answer this. The error is in the log of the service."}
        if isinstance(found, Refused):
            return 422, {"problems": found.problems, "fallback": found.fallback}
        return 200, found

    def note(self) -> None:
        """Set the gauges to how things are."""
        self.metrics.intact.set(self.live.intact)
        self.metrics.drifted.set(self.live.drifted)
        self.metrics.by_model.set(not self.live.now.problem and not self.live.drifted)
        if self.reviews is not None:
            self.metrics.reviews.set(self.reviews.count())

    def state(self) -> dict[str, Any]:
        """Say who answers, whether what explains the answers is loaded yet, and why it never will be."""
        now = self.live.now
        by = "fallback" if now.problem or self.live.drifted else "model"
        made = self._explainers.get(now.name)
        failed = made.exception() if made is not None and made.done() and not made.cancelled() else None
        lacking = LACKING.format(failed.name) if isinstance(failed, ImportError) else ""
        return {
            "ready": True,
            "answers_by": by,
            "explains": not now.problem and made is not None and made.done() and not lacking,
            "cannot_explain": lacking,
            "bundle": now.name,
            "intact": self.live.intact,
            "problem": now.problem,
        }

    async def watch(self) -> None:
        """Look at the files again and again, and say so when they are not what they were."""
        while True:
            await asyncio.sleep(WATCH)
            before = self.live.intact
            if await run_in_threadpool(self.live.look) != before:
                self.log("integrity", intact=self.live.intact, bundle=self.live.now.name)
            self.note()

    def close(self) -> None:
        """End what runs beside."""
        self.together.close()
        self._explain.shutdown(wait=False, cancel_futures=True)
        if self.reviews is not None:
            self.reviews.close()


def _written(running: Running, found: Decided) -> list[dict[str, Any]]:
    """Write answers as JSON can hold them."""
    told_apart = zip(found.score.tolist(), found.prediction, found.served_by, found.reason, found.problems, strict=True)
    return [
        {
            "score": None if score != score else score,
            "prediction": prediction,
            "served_by": served_by,
            "reason": reason,
            "problems": [{"field": name, "message": text} for name, text in problems],
            "review": None,
            "bundle": running.name,
        }
        for score, prediction, served_by, reason, problems in told_apart
    ]


def _explaining(running: Running) -> Answering:
    from lab2live.handoff import answering

    assert running.bundle is not None
    return answering.ready(running.bundle)
