"""Commands about what is kept: ``champion``, ``promote``, ``rollback``, ``retention``, ``backup``, ``restore``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.options import Json, Store, without_credentials

if TYPE_CHECKING:
    from difsims_core.housekeeping.retention import RetentionDecision, RetentionPlan
    from difsims_core.models.registry import Champion, ModelRegistry

_SHOWN = 10  # former champions and decisions
_FOLDER = "A path, file:// or s3:// URL."
_Why = Annotated[str, typer.Option("--why", metavar="REASON", help="Why; it is kept in the registry.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: difsims champion --json")(champion)
    app.command(epilog='Example: difsims promote cnn-7c1d… --why "knows the new phase"')(promote)
    app.command(epilog='Example: difsims rollback --to cnn-7c1d… --why "maps of roi_7 were wrong"')(rollback)
    app.command(epilog="Example: difsims retention --keep-days 180 --keep sim-0b6e… --delete")(retention)
    app.command(epilog="Example: difsims backup /backups/difsims-2026-05-01")(backup)
    app.command(epilog="Example: difsims restore /backups/difsims-2026-05-01")(restore)


def champion(store: Store = None, as_json: Json = False) -> None:
    """Show the champion, since when and why, the former ones, and what was decided last."""
    from difsims_core.models.registry import read_registry
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    registry = read_registry(open_store(store))
    if as_json:
        console.show_json(registry.to_document())
        return
    if registry.serial:
        console.show_line(f"registry {registry.serial}, written {_time(registry.written)}")
    if registry.champion is None:
        console.show_line("there is no champion yet; `difsims retrain` or `difsims promote` makes one")
    else:
        console.show_table("champion", [_row(registry.champion)])
    if registry.former:
        console.show_table(_title("former champions", registry.former), [_row(one) for one in registry.former[:_SHOWN]])
    if registry.considered:
        decisions = [
            {
                "model": item.model,
                "when": _time(item.when),
                "promoted": "yes" if item.promoted else "no",
                "why": item.why,
            }
            for item in registry.considered[:_SHOWN]
        ]
        console.show_table(_title("decisions", registry.considered), decisions)


def promote(
    model: Annotated[str, typer.Argument(metavar="CNN", help="Id of a model of the store.")],
    why: _Why,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Make a model the champion by hand, without any comparison; the last line is its id."""
    from difsims_core.models import registry
    from difsims_core.storage.objects import open_store

    object_store = open_store(store)
    _tell(registry.promote_by_hand(object_store, model, why=why), object_store.root, as_json=as_json)


def rollback(
    why: _Why,
    to: Annotated[
        str | None, typer.Option("--to", metavar="CNN", help="A former champion (default: the one before).")
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Make a former champion the champion again; the last line is its id."""
    from difsims_core.models import registry
    from difsims_core.storage.objects import open_store

    object_store = open_store(store)
    _tell(registry.rollback(object_store, to, why=why), object_store.root, as_json=as_json)


def retention(
    keep_days: Annotated[int, typer.Option("--keep-days", min=1, help="Everything younger stays.")] = 90,
    keep_former: Annotated[int, typer.Option("--keep-former", min=0, help="As many former champions stay.")] = 3,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="ID", help="A dataset, library, model or report that stays; may be repeated."),
    ] = None,
    most_percent: Annotated[
        float, typer.Option("--most-percent", metavar="PERCENT", help="Of items and bytes, at most so much may go.")
    ] = 50,
    serial: Annotated[
        int | None,
        typer.Option("--serial", metavar="N", help="Of the registry that you have looked at and found right."),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; without this, nothing is touched.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Show which datasets, libraries, models and reports may go, and why; never what a kept result descends from."""
    from datetime import UTC, datetime

    from difsims_core.housekeeping.retention import apply_retention, plan_retention
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    object_store, now = open_store(store), datetime.now(UTC)
    plan = plan_retention(
        object_store,
        now=now,
        keep_days=keep_days,
        keep_former=keep_former,
        keep=tuple(keep or ()),
        most_percent=most_percent,
        serial=serial,
    )
    if not as_json:
        _show_plan(plan)
    if not delete:
        for objection in plan.objections:
            console.warn(f"nothing would be deleted: {objection}")
    deleted: tuple[RetentionDecision, ...] = ()
    if delete and plan.going:
        with console.bar("deleting", len(plan.going), "items") as progress:
            deleted = apply_retention(object_store, plan, progress)
    if as_json:
        console.show_json(
            {
                "going": [_plain(item) for item in plan.going],
                "kept": [_plain(item) for item in plan.kept],
                "objections": list(plan.objections),
                "deleted": [_plain(item) for item in deleted],
                "bytes": sum(item.size for item in deleted) if delete else plan.size,
            }
        )
    elif delete:
        size = readable_size(sum(item.size for item in deleted))
        console.show_line(f"deleted {len(deleted)} of {len(plan.going)} items, {size}")
    else:
        hint = "; --delete deletes them" if plan.going and not plan.objections else ""
        console.show_line(f"{len(plan.going)} items may go, {readable_size(plan.size)}{hint}")


def backup(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help=f"{_FOLDER} It must be empty.", callback=without_credentials)
    ],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Copy the registry, indices and model records of a store into a new folder, with checksums; not its data."""
    from dataclasses import asdict

    from difsims_core.housekeeping import backup as backups
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    made = backups.backup(open_store(store), folder)
    for key in made.damaged:
        console.warn(f"{key}: damaged in the store and not in the backup; restore it from an older one")
    if as_json:
        console.show_json(asdict(made))
    else:
        console.show_line(f"{len(made.documents)} records, {readable_size(made.size)}: {made.folder}")


def restore(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help=_FOLDER, callback=without_credentials)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what differs, a newer registry too.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Bring back the records of a backup that a store has lost; nothing is written when the backup is damaged."""
    from dataclasses import asdict

    from difsims_core.housekeeping import backup as backups
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    done = backups.restore(open_store(store), folder, overwrite=overwrite)
    if as_json:
        console.show_json(asdict(done))
        return
    for key, why in done.left.items():
        console.warn(f"{key} was left as it is: {why}")
    console.show_line(
        f"{len(done.written)} records restored, {len(done.same)} were the same, {len(done.left)} were left as they are"
    )


def _tell(after: ModelRegistry, root: str, *, as_json: bool) -> None:
    """Print the new champion, and announce it where a Prefect server listens: it maps what came in meanwhile."""
    from flows.cli import console
    from flows.settings import quieten_prefect

    quieten_prefect()
    from flows.ui.events import announce

    now = after.to_document()["champion"]
    before = after.former[0].model if after.former else ""
    details = {"why": now["why"], "by": now["by"], "scores": now["scores"]}
    announce("champion.promoted", now["model"], root, labels={"difsims.before": before}, payload=details)
    console.show_json(now | {"before": before}) if as_json else console.show_line(now["model"])


def _show_plan(plan: RetentionPlan) -> None:
    from flows.cli import console

    for title, verdicts in (("may go", plan.going), ("stays", plan.kept)):
        rows = [
            {"id": item.id, "kind": item.kind, "size": readable_size(item.size), "why": item.why} for item in verdicts
        ]
        if rows:
            console.show_table(title, rows)


def _row(one: Champion) -> dict[str, Any]:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in one.scores.items())
    return {"model": one.model, "since": _time(one.since), "by": one.by, "scores": scores, "why": one.why}


def _plain(item: RetentionDecision) -> dict[str, Any]:
    return {"kind": item.kind, "id": item.id, "bytes": item.size, "why": item.why}


def _title(name: str, items: Sequence[Any]) -> str:
    return name if len(items) <= _SHOWN else f"{name}, the latest {_SHOWN} of {len(items)}"


def _time(text: str) -> str:
    """Return an ISO time to the minute, as it fits a column."""
    return text[:16].replace("T", " ")


def readable_size(size: float) -> str:
    """Return a size as people write it: 12.3 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"
