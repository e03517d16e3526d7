"""The three worlds in which faults are planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from credit import credit
from shop import shop
from telecom import telecom
from worlds import World

DOMAINS: Mapping[str, Callable[[int], World]] = {"telecom": telecom, "credit": credit, "shop": shop}
