"""Requests that come at the same time are answered together: what one answer costs is mostly the same for many.

No request waits for others to come: whatever has come while the last ones were answered is answered next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Case = Mapping[str, Any]
# Cases answered at once.
MOST_TOGETHER = 256


@dataclass
class _Waiting:
    cases: Sequence[Case]
    answer: asyncio.Future[list[Any]]


class Together:
    """Answers requests in one thread, as many at once as are waiting.

    Parameters
    ----------
    about
        Answers about some cases: one answer per case.
    late
        Does so when `about` takes too long.
    last
        Does so when `late` takes as long again; at once, since it asks nobody.
    seconds
        What is too long now.
    """

    def __init__(
        self,
        about: Callable[[Sequence[Case]], list[Any]],
        late: Callable[[Sequence[Case]], list[Any]],
        last: Callable[[Sequence[Case]], list[Any]],
        seconds: Callable[[], float],
    ) -> None:
        self._about, self._late, self._last, self._seconds = about, late, last, seconds
        self._waiting: deque[_Waiting] = deque()
        self._busy = False
        # pandas and the project's own code are not made for many threads at once
        self._model = ThreadPoolExecutor(1, "model")
        self._fallback = ThreadPoolExecutor(1, "fallback")

    async def ask(self, cases: Sequence[Case]) -> list[Any]:
        """Answer about the cases of one request, within the time there is."""
        loop = asyncio.get_running_loop()
        one = _Waiting(cases, loop.create_future())
        self._waiting.append(one)
        if not self._busy:
            self._busy = True
            self._next(loop)
        late = loop.call_later(self._seconds(), self._too_late, loop, one)
        try:
            return await one.answer
        finally:
            late.cancel()

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what is waiting; requests that were answered in another way are left out."""
        batch: list[_Waiting] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0].cases) <= MOST_TOGETHER):
            one = self._waiting.popleft()
            if not one.answer.done():
                batch.append(one)
                count += len(one.cases)
        if not batch:
            self._busy = False
            return
        cases = [case for one in batch for case in one.cases]
        loop.run_in_executor(self._model, self._about, cases).add_done_callback(
            lambda done: self._answered(loop, batch, done)
        )

    def _answered(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], done: asyncio.Future[list[Any]]
    ) -> None:
        _give(batch, done)
        self._next(loop)

    def _too_late(self, loop: asyncio.AbstractEventLoop, one: _Waiting) -> None:
        if not one.answer.done():
            asked = loop.run_in_executor(self._fallback, self._late, one.cases)
            asked.add_done_callback(lambda done: _give([one], done))
            loop.call_later(self._seconds(), self._at_last, one)

    def _at_last(self, one: _Waiting) -> None:
        if not one.answer.done():
            one.answer.set_result(self._last(one.cases))

    def close(self) -> None:
        """End the threads; one that hangs is not waited for."""
        self._model.shutdown(wait=False, cancel_futures=True)
        self._fallback.shutdown(wait=False, cancel_futures=True)


def _give(batch: Sequence[_Waiting], done: asyncio.Future[list[Any]]) -> None:
    error, start = None if done.cancelled() else done.exception(), 0
    for one in batch:
        if not one.answer.done():
            if error is not None:
                one.answer.set_exception(error)
            elif done.cancelled():
                one.answer.cancel()
            else:
                one.answer.set_result(done.result()[start : start + len(one.cases)])
        start += len(one.cases)
