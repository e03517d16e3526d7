"""A shop with items and regions: orders, their dispatch, their items."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from worlds import OFFICE, REGIONS, Place, World, at_hours, cities, codes, days_of, gaps, slashes, some

ITEMS = {
    "Küche": ["Pfännchen", "Crêpe-Pfanne", "Messerblock", "Topf groß", "Topf klein", "Sieb"],
    "Garten": ["Gießkanne", "Schaufel", "Rechen", "Gartenschere", "Blumentopf"],
    "Büro": ["Stühle", "Schreibtisch", "Lampe", "Ablage", "Locher", "Heftgerät"],
    "Spiel": ["Puzzle", "Kreisel", "Bauklötze", "Würfel"],
    "Bad": ["Duschvorhang", "Spiegel", "Hocker"],
}


def shop(seed: int, today: dt.date | None = None) -> World:
    """Orders of a year and a half on the day they leave the warehouse: how long will each be on its way?"""
    random = np.random.default_rng([seed, 3])
    end = pd.Timestamp(today or dt.date.today()) - pd.Timedelta(days=23)
    n = int(random.integers(3500, 7000))
    dispatched = pd.Series(
        np.sort(at_hours(random, days_of(random, n, end - pd.Timedelta(days=500), end, 0.15, 0.8), OFFICE))
    )
    numbers = np.sort(random.choice(9_900_000, n, replace=False)) + 1
    ids = np.array([str(number).zfill(7) for number in random.permutation(numbers)], dtype=object)
    ordered = (dispatched - pd.to_timedelta(random.gamma(2, 14, n) + 1, unit="h")).dt.floor("s")
    region = some(random, REGIONS, n)
    express = random.random(n) < 0.2
    parcels = 1 + random.poisson(0.5, n)
    warehouse = some(random, {"W01": 0.5, "W02": 0.35, "W03": 0.15}, n)
    carrier = some(random, {"DPX": 0.45, "Hermia": 0.3, "Blitz": 0.17, "Velo": 0.08}, n)
    weight = random.lognormal(1.1, random.uniform(0.6, 0.75), n)
    volume = np.round(4.5 * weight**0.9 * random.lognormal(0, 0.12, n), 1)
    base_km = {
        "Nord": 420,
        "Süd": 380,
        "Ost": 250,
        "West": 300,
        "Mitte": 120,
        "Alpen": 650,
        "Küste": 500,
        "Inseln": 560,
    }
    distance = pd.Series(region).map(base_km).to_numpy(float) * random.gamma(12, 1 / 12, n)
    hectic = 1 + 0.25 * np.isin(dispatched.dt.month, [11, 12])
    days = (
        (0.9 + distance / 260 + 0.5 * (carrier == "Hermia") + 0.9 * (carrier == "Velo") + 0.15 * weight**0.5)
        * hectic
        * np.where(express, 0.5, 1.0)
        * np.where(region == "Inseln", 1.5, 1.0)
        * random.gamma(30, 1 / 30, n)
    )
    orders = pd.DataFrame(
        {
            "order_id": ids,
            "ordered_at": ordered,
            "dispatched_at": dispatched,
            "region": region,
            "city": cities(random, region),
            "channel": some(random, {"web": 0.5, "app": 0.38, "phone": 0.1, "fair": 0.02}, n),
            "express": np.where(express, "yes", "no"),
            "parcels": parcels,
            "coupon_eur": np.where(random.random(n) < 0.75, 0.0, random.choice([5.0, 10.0, 15.5, 20.0], n)),
            "shipping_eur": np.round((2.9 + 0.9 * weight**0.5 + 6.5 * express) * random.lognormal(0, 0.15, n), 2),
            "customer_age": gaps(random, random.normal(41, 13, n).clip(18, 90).round(), 0.05),
            "delivery_days": np.round(days, 2),
        }
    )
    dispatch = pd.DataFrame(
        {
            "order_id": ids,
            "region": region,
            "warehouse": warehouse,
            "dock": codes(random, n, 3, 60),
            "carrier": carrier,
            "loaded_at": (dispatched - pd.to_timedelta(random.gamma(3, 8, n), unit="m")).dt.floor("s"),
            "weight_kg": np.round(weight, 2),
            "volume_l": volume,
            "distance_km": np.round(distance, 1),
            "first_planned": slashes(ordered + pd.to_timedelta(random.integers(0, 2, n), unit="D")),
        }
    )
    lines = 1 + random.poisson(random.uniform(1.2, 1.9), n)
    who = np.repeat(np.arange(n), lines)
    catalogue = pd.DataFrame(
        [(name, group) for group, names in ITEMS.items() for name in names], columns=["item", "group"]
    )
    liked = random.dirichlet(np.full(len(catalogue), 6.0))
    price = random.lognormal(2.9, 0.5, len(catalogue))
    chosen = random.choice(len(catalogue), len(who), p=liked)
    quantity = 1 + random.poisson(0.5, len(who))
    unit_price = np.round(price[chosen] * random.choice([1.0, 0.9, 0.8], len(who), p=[0.8, 0.14, 0.06]), 2)
    items = pd.DataFrame(
        {
            "order_id": ids[who],
            "item": catalogue["item"].to_numpy()[chosen],
            "category": catalogue["group"].to_numpy()[chosen],
            "batch": codes(random, len(who), 6, 900),
            "colour": some(random, {"weiß": 0.35, "schwarz": 0.3, "grün": 0.2, "blau": 0.1, "rot": 0.05}, len(who)),
            "quantity": quantity,
            "unit_price": unit_price,
            "line_total": np.round(unit_price * quantity * random.choice([1.0, 0.97], len(who), p=[0.9, 0.1]), 2),
            "picked_at": (
                ordered.iloc[who] + (dispatched.iloc[who] - ordered.iloc[who]) * random.uniform(0.85, 0.98, len(who))
            )
            .dt.floor("s")
            .to_numpy(),
        }
    ).drop_duplicates(["order_id", "item"], ignore_index=True)
    charter = {
        "project": {"name": "Delivery times"},
        "prediction": {
            "problem_type": "regression",
            "target": "delivery_days",
            "id_column": "order_id",
            "time_column": "dispatched_at",
            "label_delay_days": 21,
        },
        "sources": [
            {
                "name": "orders",
                "table": "orders",
                "key": "order_id",
                "critical": ["express", "parcels"],
                "columns": {"customer_age": {"min": 16, "max": 110}, "shipping_eur": {"min": 0, "unit": "EUR"}},
                "expected": {"region": list(REGIONS)},
                "date_column": "dispatched_at",
                "fresh_within_days": 60,
            },
            {
                "name": "dispatch",
                "key": "order_id",
                "critical": ["weight_kg", "carrier"],
                "columns": {"weight_kg": {"min": 0, "unit": "kg"}, "distance_km": {"min": 0, "unit": "km"}},
                "expected": {"carrier": ["DPX", "Hermia", "Blitz", "Velo"]},
                "date_column": "loaded_at",
                "fresh_within_days": 60,
            },
            {
                "name": "items",
                "key": "order_id",
                "critical": ["item", "unit_price"],
                "columns": {"unit_price": {"min": 0, "unit": "EUR"}, "quantity": {"min": 1}},
                "expected": {"category": list(ITEMS)},
                "date_column": "picked_at",
                "fresh_within_days": 60,
                "aggregate": {"lines": "count(*)", "pieces": "sum(quantity)", "goods_value": "sum(line_total)"},
            },
        ],
        "join": {"base": "orders", "on": "order_id", "how": "left"},
    }
    shared = {"key": "order_id", "base": "orders", "target": "delivery_days", "time_column": "dispatched_at"}
    extract = {"until": str(end + pd.Timedelta(days=23))}
    times = [["orders", "dispatched_at"], ["orders", "ordered_at"], ["dispatch", "loaded_at"]]
    places: dict[str, list[Place]] = {
        "critical_nulls": [("orders", "express", {}), ("dispatch", "weight_kg", {}), ("items", "item", {})],
        "sentinel_number": [
            ("orders", "customer_age", {"value": 999}),
            ("dispatch", "weight_kg", {}),
            ("items", "unit_price", {"value": -1}),
        ],
        "sentinel_date": [
            ("orders", "ordered_at", {}),
            ("dispatch", "loaded_at", {}),
            ("items", "picked_at", {"value": "1970-01-01"}),
        ],
        "token": [
            ("orders", "channel", {"value": "NULL"}), ("dispatch", "carrier", {}), ("items", "colour", {"value": "?"}),
        ],
        "blanks": [("orders", "channel", {}), ("dispatch", "warehouse", {}), ("items", "colour", {})],
        "outliers": [("orders", "shipping_eur", {}), ("dispatch", "weight_kg", {}), ("items", "unit_price", {})],
        "mixed_up_rows": [("dispatch", "volume_l", {"partners": ["weight_kg"]})],
        "level_shift": [
            ("orders", "shipping_eur", {"date_column": "dispatched_at"}),
            ("dispatch", "weight_kg", {"date_column": "loaded_at"}),
            ("items", "unit_price", {"date_column": "picked_at"}),
        ],
        "constant": [("orders", "channel", {}), ("dispatch", "warehouse", {}), ("items", "quantity", {})],
        "near_constant": [("orders", "express", {}), ("dispatch", "carrier", {}), ("items", "colour", {})],
        "impossible": [("orders", "customer_age", {}), ("dispatch", "distance_km", {}), ("items", "unit_price", {})],
        "entity_missing": [("orders", "region", {}), ("dispatch", "carrier", {}), ("items", "category", {})],
        "entity_lost": [("orders", "channel", {}), ("dispatch", "warehouse", {}), ("items", "colour", {})],
        "band_missing": [("orders", "customer_age", {}), ("dispatch", "weight_kg", {})],
        "combination_missing": [
            ("orders", "region", {"other": "channel"}), ("dispatch", "warehouse", {"other": "carrier"}),
            ("items", "category", {"other": "colour"}),
        ],
        "time_gap": [("orders", "dispatched_at", {}), ("items", "picked_at", {}), ("dispatch", "loaded_at", {})],
        "orphan_keys": [("dispatch", "order_id", {}), ("items", "order_id", {})],
        "spelt_keys": [("orders", "order_id", {}), ("dispatch", "order_id", {})],
        "repeated_keys": [("orders", "order_id", {}), ("dispatch", "order_id", {})],
        "copied_rows": [("orders", "order_id", {}), ("items", "order_id", {})],
        "fan_out": [("dispatch", "order_id", {})],
        "conflict": [("dispatch", "region", shared), ("orders", "region", shared)],
        "unit_part": [
            ("orders", "shipping_eur", {}), ("dispatch", "weight_kg", {"factor": 1000}), ("items", "unit_price", {}),
        ],
        "unit_all": [
            ("orders", "shipping_eur", {}), ("dispatch", "weight_kg", {"factor": 1000}), ("items", "unit_price", {}),
        ],
        "spelling": [("orders", "region", {}), ("dispatch", "carrier", {}), ("items", "colour", {})],
        "mojibake": [("orders", "city", {}), ("dispatch", "region", {}), ("items", "item", {})],
        "swapped_dates": [("orders", "ordered_at", {}), ("dispatch", "loaded_at", {}), ("orders", "dispatched_at", {})],
        "swapped_texts": [("dispatch", "first_planned", {})],
        "timezone": [
            ("dispatch", "loaded_at", {"hours": 2, "partners": times}), ("orders", "dispatched_at", {"hours": 9}),
        ],
        "decimal_comma": [("dispatch", "weight_kg", {}), ("dispatch", "distance_km", {})],
        "leading_zeros": [("dispatch", "order_id", {}), ("items", "batch", {}), ("dispatch", "dock", {})],
        "words": [("orders", "customer_age", {}), ("dispatch", "weight_kg", {}), ("items", "unit_price", {})],
        "renamed": [("orders", "coupon_eur", {"new": "voucher"}), ("dispatch", "dock", {"new": "gate"})],
        "dropped": [("orders", "channel", {}), ("dispatch", "warehouse", {}), ("items", "colour", {})],
        "truncated": [("orders", "order_id", {}), ("dispatch", "order_id", {}), ("items", "order_id", {})],
        "late": [("orders", "dispatched_at", {}), ("items", "picked_at", {})],
        "stale": [("orders", "dispatched_at", {}), ("dispatch", "loaded_at", {}), ("items", "picked_at", {})],
        "misaligned": [
            ("dispatch", "volume_l", {"partners": [["dispatch", "weight_kg"]]}),
            ("dispatch", "region", {"partners": [["orders", "region"], ["dispatch", "distance_km"]]}),
            ("items", "line_total", {"partners": [["items", "unit_price"], ["items", "quantity"]]}),
        ],
        "leaking_feature": [("orders", "care_index", shared), ("dispatch", "route_points", shared)],
        "leaking_identifier": [("orders", "order_id", shared)],
        "leaking_date": [("orders", "rated_on", shared)],
        "label_flips": [("orders", "delivery_days", {})],
        "label_disagreement": [("orders", "delivery_days", {**shared, "annotators": ["scan_1", "scan_2"]})],
        "label_immature": [
            ("orders", "delivery_days", {**shared, **extract, "delay": 21, "along": ["dispatch", "items"]}),
        ],
    }  # fmt: skip
    return World(
        "shop",
        {"orders": orders, "dispatch": dispatch, "items": items},
        charter,
        {"orders": "orders.sqlite", "dispatch": "dispatch.csv", "items": "items.parquet"},
        {"orders": "dispatched_at", "dispatch": "loaded_at", "items": "picked_at"},
        [("orders", "customer_age"), ("dispatch", "carrier")],
        places,
        seed,
    )
