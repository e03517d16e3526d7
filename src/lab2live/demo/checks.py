"""Checks of your own. They run beside the built-in ones, on the same tables, and count in the verdict."""

from typing import Any

from lab2live import Finding, check


@check("own.tenure_beyond_age", requirement="L4b", applies_to=["crm"])
def tenure_beyond_age(source: Any) -> Finding | None:
    """Warn where somebody has been a customer for longer than they have lived: one of the two is wrong."""
    table = source.table
    rows = int(table.filter(table.tenure_months > 12 * table.age).count().execute())
    if not rows:
        return None
    message = f"{rows} customers have been with the company for longer than they have lived."
    return Finding(value=rows, message=message, column="tenure_months", severity="warn", rows=rows)
