"""What answers a question: one type from the function that computes it to the gate, the page and the results file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evidence:
    """The answer to one question, before a gate judges it.

    Attributes
    ----------
    value
        What was measured, in the unit of the gate; `None` where it could not be computed.
    message
        What was found, or why nothing could be, as a plain sentence.
    table, figure
        What shows it.
    data
        What is kept of it in `results/<stage>.json`: anything JSON can say, numpy included.
    """

    value: float | None
    message: str
    table: pd.DataFrame | None = None
    figure: Figure | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
