"""How new a source is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from lab2live.data.encoding import EPOCH
from lab2live.data.feature_types import as_days

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Different days in a column of dates: with more than three centuries of them it holds something else.
MOST_DAYS = 120_000


def newest_day(table: ir.Table | None, name: str | None, today: dt.date) -> dt.date | None:
    """Give the latest day in a column that is not in the future, where plans and errors lie.

    Parameters
    ----------
    table, name
        The column may hold dates, times, or text like 2024-12-31 or 31.12.2024; either may be missing.
    today
        The last day that counts.

    Returns
    -------
    datetime.date or None
        `None` if there is no such column, or no day in it.
    """
    if table is None or name is None or name not in table.columns:
        return None
    column = table[name]
    if column.type().is_string():
        column = column.substr(0, len("31.12.2024"))
    elif column.type().is_timestamp():
        column = column.date()
    elif not column.type().is_date():
        return None
    try:
        found = as_days(table.select(day=column).distinct().limit(MOST_DAYS).to_pandas()["day"])
    except Exception:  # an engine that stumbles over a date: the checks say which
        return None
    past = found[found < (today - EPOCH.date()).days + 1]
    return EPOCH.date() + dt.timedelta(days=int(past.max() // 1)) if len(past) else None
