"""How a run is shown while it runs: one line per notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lab2live.pipeline import runner


class ConsoleProgress(runner.Progress):
    """One line per notebook, with a bar while it runs.

    Parameters
    ----------
    console
        Where the lines go.
    """

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description:<18}"), BarColumn(30), TextColumn("{task.fields[state]}"))
        self._console = console
        self._bars = Progress(*columns, TimeElapsedColumn(), console=console)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ConsoleProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def started(self, node: runner.Node) -> None:
        self._tasks[node.stage] = self._bars.add_task(node.title, total=1, state="starting")
        if not self._console.is_terminal:
            self._console.print(f"{node.title}: started")

    def cell(self, node: runner.Node, done: int, total: int) -> None:
        self._bars.update(self._tasks[node.stage], completed=done, total=total, state=f"cell {done + 1} of {total}")

    def ended(self, node: runner.Node, record: Mapping[str, Any]) -> None:
        state = record["status"] + (f" in {record['seconds']:.0f} s" if record["seconds"] is not None else "")
        if node.stage in self._tasks:
            self._bars.update(self._tasks[node.stage], completed=1, total=1, state=state)
            self._bars.stop_task(self._tasks[node.stage])
        elif self._console.is_terminal:
            self._bars.add_task(node.title, total=1, completed=0, start=False, state=state)
        if not self._console.is_terminal:
            self._console.print(f"{node.title}: {state}")
