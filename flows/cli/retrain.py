"""``difsims retrain --dry-run``: what a retraining would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from difsims_core.models.retraining_plan import RetrainingPlan, plan_retraining
from difsims_core.storage.objects import open_store, url_name
from flows.cli import console

if TYPE_CHECKING:
    from difsims_core.config.retraining import RetrainingSpec

_NAMED = 12


def show_plan(spec: RetrainingSpec, store: str | None, *, as_json: bool = False) -> None:
    """Print what a retraining would do; the last line is whether it would train."""
    plan = plan_retraining(open_store(store), spec)
    if as_json:
        console.show_json(asdict(plan) | {"trains": plan.trains})
        return
    console.tell(f"the champion is {plan.champion}" if plan.champion else "there is no champion yet")
    if plan.simulates:
        console.tell(f"{plan.simulates:,} patterns would be simulated first")
    console.tell(f"datasets to train on: {_some(plan.datasets)}; {plan.patterns:,} patterns")
    console.tell(f"experiments to compare on: {_some([url_name(url) for url in plan.scans])}")
    for name, reason in plan.left_out.items():
        console.tell(f"{name} would be left out: {reason}")
    console.show_line(_verdict(plan))


def _verdict(plan: RetrainingPlan) -> str:
    if plan.before is not None:
        return f"nothing would be trained: the same was considered on {plan.before.when}: {plan.before.why}"
    if not plan.trains:
        return "nothing would be trained: there is no dataset to train on"
    return f"a challenger would be trained on {plan.patterns:,} patterns"


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "none") + more
