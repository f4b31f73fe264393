"""Plans of what may go from a store, made on one day."""

from __future__ import annotations

from datetime import timedelta

from difsims_core.housekeeping.retention import RetentionPlan, plan_retention
from difsims_core.storage.objects import ObjectStore
from tests.small_stores import later

NOW = later(100)  # what is written by a test is 100 days old
YESTERDAY = (NOW - timedelta(days=1)).isoformat()


def plan_for(store: ObjectStore, keep_days: int = 30, keep_former: int = 1, **options):
    """Return the plan of a store in which anything may go at once."""
    policy = {"now": NOW, "most_percent": 100, **options}
    return plan_retention(store, keep_days=keep_days, keep_former=keep_former, **policy)


def going(plan: RetentionPlan) -> set[str]:
    return {item.id for item in plan.going}


def why(plan: RetentionPlan, name: str) -> str:
    return next(item.why for item in (*plan.going, *plan.kept) if item.id == name)
