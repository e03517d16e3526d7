"""Values that stand for nothing: one number, date or key far more frequent than any honest value would be."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from lab2live.data.encoding import EPOCH

# What people and systems write for "not known".
NUMBERS = frozenset(
    {
        *(-(10**power) + 1.0 for power in range(1, 11)),  # -9, -99, -999, ...
        *(10.0**power - 1 for power in range(2, 13)),  # 99, 999, ...
        *(-1.0, 0.0, -7.0, -8.0, -77.0, -88.0, -777.0, -888.0, 777.0, 888.0, 7777.0, 8888.0),
        *(-32768.0, 32767.0, -2147483648.0, 2147483647.0, -9999.99, -999.99, 999.99, 9999.99, 99999.99, 999999.99),
    }
)
DAYS = frozenset(
    float((dt.datetime(*moment, tzinfo=dt.UTC) - EPOCH).days)
    for moment in (
        *((year, 1, 1) for year in (1, 1582, 1753, 1800, 1900, 1901, 1970, 1980, 2000, 2099, 2100, 2999, 9999)),
        *((year, 12, 31) for year in (1899, 1969, 1999, 2099, 2199, 2999, 4712, 9998, 9999)),
        *((1899, 12, 30), (1111, 11, 11), (2222, 2, 22), (2078, 12, 31), (2262, 4, 11), (9999, 12, 30), (1, 1, 2)),
    )
)
# A spike holds at least this share of the values, and this many rows.
SHARE = 0.002
FEWEST = 3
# A spike is this much more frequent than each of its neighbours (a rounded value may be three times as frequent).
SPIKE = 5
NEIGHBOURS = 10
# ... and than any other value, so that 99 is none where 49 and 199 are as frequent: prices end with a nine.
TOP = 3
# A value outside the others is far from them when the gap is this share of their range: a cap leaves no gap.
GAP = 0.05
# With few different values the gap has to be this many times their range: price lists have gaps.
WIDE_GAP = 3
FEW_LEVELS = 20
# Zeros are many where zero means none of it: rather a share that errors may have.
MOST_ZEROS = 0.08
# ... and the others have to begin at this part of their median: closer ones may come from zero by themselves.
FROM_ZERO = 0.2


def sentinels_of_numbers(numbers: np.ndarray, names_rows: bool = False) -> dict[float, int]:
    """Find the sentinels of a number column.

    A sentinel is a spike that lies where no other value is, with a clear gap; or a known one (-999, 9999, ...) that
    is far more frequent than its neighbours. A cap, a natural zero and a round number are none: they have neighbours.

    Parameters
    ----------
    numbers
        Values; NaN and infinities are left out.
    names_rows
        Whether they are identifiers: then a known value that is far more frequent than any other is enough.

    Returns
    -------
    dict
        Value -> number of rows.
    """
    values, times = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    return _sentinels(values, times, np.isin(values, list(NUMBERS)), names_rows)


def sentinels_of_days(days: np.ndarray) -> dict[float, int]:
    """Find the sentinels of a date column, as days since 2000-01-01; see `sentinels_of_numbers`."""
    values, times = np.unique(days[np.isfinite(days)], return_counts=True)
    return _sentinels(values, times, np.isin(np.floor(values), list(DAYS)), False)


def sentinels_of_keys(texts: pd.Series) -> dict[str, int]:
    """Find keys like -1, 0000 or C99999 that far more rows carry than any other key."""
    times = texts.value_counts()
    head = times.head(NEIGHBOURS)
    empty = head.index.astype(str).str.match(r"^\W*[A-Za-z]{0,4}\W*(0+|9{3,}|-?1|-9+)$")
    usual = int(head[~empty].max()) if (~empty).any() else 0
    enough = max(FEWEST, SHARE * times.sum(), TOP * usual)
    return {str(text): int(number) for text, number in head[empty].items() if usual and number >= enough}


def _sentinels(values: np.ndarray, times: np.ndarray, known: np.ndarray, names_rows: bool) -> dict[float, int]:
    total = int(times.sum())
    enough = times >= max(FEWEST, SHARE * total)
    # a frequent zero is a value like the others, and tells where they end
    suspects = known & enough & ((values != 0) | (times <= MOST_ZEROS * total) | names_rows)
    if len(values) > FEW_LEVELS:
        # one unknown value at either end may stand for nothing, too
        suspects[[0, -1]] |= enough[[0, -1]]
    rest, rest_times = values[~suspects], times[~suspects]
    if not suspects.any() or len(rest) < 2:
        return {}
    usual = int(rest_times[1:-1].max()) if len(rest) > 2 else int(rest_times.max())
    found = {}
    for value, number, is_known in zip(values[suspects], times[suspects], known[suspects], strict=True):
        if names_rows:
            stands_out = bool(is_known) and number >= TOP * max(usual, 1)
        elif value == 0:
            stands_out = _impossible_zero(rest, rest_times, number / total)
        else:
            stands_out = _outside(value, number, is_known, rest, rest_times) or (
                bool(is_known) and _inside(value, number, rest, rest_times, usual)
            )
        if stands_out:
            found[float(value)] = int(number)
    return found


def _outside(value: float, number: int, is_known: bool, rest: np.ndarray, rest_times: np.ndarray) -> bool:
    """Say whether a value lies where no other is, with a gap that no cap and no tail leaves."""
    low, high = float(rest[0]), float(rest[-1])
    if low <= value <= high:
        return False
    if is_known and value < 0 <= low:
        # -1 may be one of three levels; -999 is none of them
        return len(rest) >= 4 or value <= -7
    gap = low - value if value < low else value - high
    if gap > WIDE_GAP * (high - low):
        return len(rest) >= (5 if is_known else FEW_LEVELS)
    if not is_known or len(rest) < FEW_LEVELS:
        return False
    edge = rest[:NEIGHBOURS] if value < low else rest[-NEIGHBOURS:]
    beside = rest_times[:NEIGHBOURS] if value < low else rest_times[-NEIGHBOURS:]
    lonely = gap > GAP * (high - low) and gap > 2 * float(np.diff(edge).mean())
    return lonely and number >= SPIKE * float(np.median(beside))


def _inside(value: float, number: int, rest: np.ndarray, rest_times: np.ndarray, usual: int) -> bool:
    """Say whether a known value among the others is far more frequent than its neighbours, and than all others."""
    position = int(np.searchsorted(rest, value))
    if position in (0, len(rest)):
        return False
    beside = rest_times[max(0, position - NEIGHBOURS) : position + NEIGHBOURS]
    return number >= SPIKE * int(beside.max()) and number >= TOP * usual


def _impossible_zero(rest: np.ndarray, rest_times: np.ndarray, share: float) -> bool:
    """Say whether the other values are all positive and end well above zero, as heights do and waiting times do not."""
    low = float(rest[0])
    if low <= 0 or share > MOST_ZEROS or len(rest) < FEW_LEVELS:
        return False
    shares = np.cumsum(rest_times) / rest_times.sum()
    percentile, median = (float(rest[np.searchsorted(shares, share)]) for share in (0.01, 0.5))
    spacing = float(np.diff(rest[:NEIGHBOURS]).mean())
    return low > FROM_ZERO * median and low > (percentile - low) / 2 and low > 5 * spacing
