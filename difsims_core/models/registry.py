"""Which model is the champion, since when and why, and what was considered: ``models/registry.json``.

Every change is a conditional write on the version that was read: of two processes that promote at once one wins. A
promotion leaves a note beside the registry: when an older registry comes back, the note still tells of it. Why not a
registry service: a server and a database to operate for one record (``docs/decisions/model-registry.md``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite

from difsims_core.errors import ChampionChangedError, InputError, MissingObjectError, StoreError
from difsims_core.models.registry_record import (
    By,
    Champion,
    ChampionNote,
    ModelRegistry,
    RecordedDecision,
    registry_from,
)
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.ids import choose_id, expand_id, is_beginning
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.update import update_json

__all__ = [
    "CHAMPION",
    "Champion",
    "ModelRegistry",
    "RecordedDecision",
    "note_champions",
    "promote",
    "promote_by_hand",
    "read_registry",
    "record_decision",
    "resolve_model",
    "rollback",
]

_log = logging.getLogger(__name__)

CHAMPION = "champion"  # what people may write instead of the id of a model
DECISIONS = 200
_FORMER = 1000


def read_registry(store: ObjectStore) -> ModelRegistry:
    """Return the registry of a store; an empty one when nothing was promoted or considered yet.

    Raises
    ------
    CorruptDataError
        If the record is damaged.
    """
    key = layout.model_registry()
    try:
        data, version = store.read_versioned(key)
    except MissingObjectError:
        return ModelRegistry()
    return replace(registry_from(data, store.url(key)), version=version)


def promote(
    store: ObjectStore,
    registry: ModelRegistry,
    model: str,
    *,
    why: str,
    scores: Mapping[str, float],
    by: By,
    ingredients: str | None = None,
) -> ModelRegistry:
    """Make a model the champion, if the registry is still the one that was decided on; return the new one.

    Parameters
    ----------
    store
        Where it lies.
    registry
        As it was read before the decision.
    model
        Id of a model of this store.
    why, scores, by
        See `Champion`.
    ingredients
        What was decided on: the promotion is then a `RecordedDecision` too.

    Raises
    ------
    ChampionChangedError
        If another process was faster.
    MissingObjectError
        If there is no such model.
    StoreError
        If a retraining would make the first champion of a store that had one: its registry is gone.
    """
    _require_model(store, model)
    _require_whole(why)
    present, now = registry.champion, now_text()
    if by == "retrain" and present is None:
        _require_no_champion_before(store)
    considered = registry.considered
    if ingredients is not None:
        considered = (
            RecordedDecision(ingredients=ingredients, model=model, promoted=True, why=why, when=now),
            *considered,
        )
    if present is None or present.model != model:
        former = registry.former if present is None else (present, *registry.former)
        champion = Champion(model=model, since=now, why=why, scores=_finite(scores), by=by)
        registry = replace(registry, champion=champion, former=former)
    data = _next(replace(registry, considered=considered)).to_record()
    if not store.replace(layout.model_registry(), data, registry.version):
        raise ChampionChangedError(
            f"{store.url(layout.model_registry())}: another process has changed the registry since it was read, "
            f"{model} was not promoted",
            "compare it with the present champion and decide again",
        )
    note_champions(store, registry.champions[:2])
    return read_registry(store)


def note_champions(store: ObjectStore, champions: Iterable[Champion]) -> None:
    """Leave a note of each model that was made champion, unless there is one; a failure is logged, no more."""
    for champion in champions:
        note = ChampionNote(model=champion.model, since=champion.since).to_record()
        try:
            store.create(layout.champion_note(champion.model), note)
        except StoreError as error:
            _log.warning("no note that %s was made champion could be left: %s", champion.model, error)


def record_decision(store: ObjectStore, decision: RecordedDecision) -> ModelRegistry:
    """Note a decision without a promotion; return the registry with it.

    When another process has changed the registry meanwhile, the note is added to what that process wrote.
    """

    def with_decision(data: bytes | None) -> bytes | None:
        present = ModelRegistry() if data is None else registry_from(data, store.url(layout.model_registry()))
        if decision in present.considered:
            return None
        return _next(replace(present, considered=(decision, *present.considered))).to_record()

    update_json(store, layout.model_registry(), with_decision)
    return read_registry(store)


def promote_by_hand(store: ObjectStore, model: str, *, why: str) -> ModelRegistry:
    """Make a model the champion without a comparison; return the new registry.

    Parameters
    ----------
    store
        Where it lies.
    model
        Id of a model of this store, or its beginning: a new one, or a former champion.
    why
        The reason.

    Raises
    ------
    InputError
        If it is no id of a model, the beginning of several, or this model is the champion.
    MissingObjectError
        If there is no such model.
    ChampionChangedError
        If another process changes the registry at the same moment.
    """
    registry, model = read_registry(store), expand_id(store, model)
    if registry.champion is not None and registry.champion.model == model:
        raise InputError(f"{store.root}: {model} is the champion already, since {registry.champion.since}")
    return promote(store, registry, model, why=why, scores={}, by="hand")


def rollback(store: ObjectStore, to: str | None = None, *, why: str = "") -> ModelRegistry:
    """Make a former champion the champion again; return the new registry.

    Parameters
    ----------
    store
        Where it lies.
    to
        Id of a former champion, or its beginning; default: the one before the present. Those that were rolled back from
        do not count: a second rollback goes one further back.
    why
        The reason.

    Raises
    ------
    InputError
        If there is no such former champion, or it is the beginning of several.
    MissingObjectError
        If that model is gone, or no former champion begins so.
    ChampionChangedError
        If another process changes the registry at the same moment.
    """
    registry = read_registry(store)
    present = registry.champion
    if present is None:
        raise InputError(
            f"{store.root}: there is no champion yet, and none to go back to", "`difsims retrain` promotes one"
        )
    former = list(dict.fromkeys(item.model for item in registry.former if item.model != present.model))
    before = _line(registry)[:-1]
    if to is None and not before:
        named = f"name one of {', '.join(former)} with --to" if former else "it is the first one"
        raise InputError(f"{store.root}: there was no champion before {present.model}", named)
    if to is not None and is_beginning(to):
        to = choose_id(to, former, f"{store.root}, former champions")
    if to is not None and to not in former:
        choices = ", ".join(former) or "there are none"
        raise InputError(f"expected a former champion ({choices}), found {to!r}", "`difsims champion` shows them")
    model = before[-1] if to is None else to
    scores = next(item.scores for item in registry.former if item.model == model)
    reason = why or f"rolled back from {present.model}"
    return promote(store, registry, model, why=reason, scores=scores, by="rollback")


def resolve_model(store: ObjectStore, text: str) -> str:
    """Return the id of the champion for the word ``champion``, and the id that a text begins; a URL as it is.

    Raises
    ------
    MissingObjectError
        If there is no champion, or no id begins so.
    InputError
        If it is the beginning of several ids.
    """
    if text != CHAMPION:
        return expand_id(store, text)
    champion = read_registry(store).champion
    if champion is None:
        raise MissingObjectError(
            f"{store.root}: there is no champion yet", "`difsims retrain` promotes one, or name a model by its id"
        )
    return champion.model


def _line(registry: ModelRegistry) -> list[str]:
    """Return the models that led to the champion, oldest first, without those that were rolled back from."""
    line: list[str] = []
    present = [] if registry.champion is None else [registry.champion]
    for champion in [*reversed(registry.former), *present]:
        if champion.by == "rollback" and champion.model in line:
            del line[line.index(champion.model) :]
        line.append(champion.model)
    return line


def _next(registry: ModelRegistry) -> ModelRegistry:
    """Return a registry as it is written next, without what is too long ago."""
    return replace(
        registry,
        former=registry.former[:_FORMER],
        considered=registry.considered[:DECISIONS],
        serial=registry.serial + 1,
        written=now_text(),
    )


def _require_model(store: ObjectStore, model: str) -> None:
    if not store.exists(layout.model_record(model)):
        raise MissingObjectError(
            f"{store.url(layout.model(model))}: this model is gone (no {layout.MODEL_RECORD}) and cannot be champion",
            "name another one, or restore it",
        )


def _require_whole(why: str) -> None:
    try:
        why.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the registry cannot keep this reason ({error})", "give one of whole characters") from None


def _require_no_champion_before(store: ObjectStore) -> None:
    noted = store.list(layout.CHAMPION_NOTES)
    if noted and read_registry(store).champion is None:  # else another process was faster, which the writing notices
        raise StoreError(
            f"{store.url(layout.model_registry())}: the registry is gone, though {len(noted)} models were made "
            "champion in this store",
            "restore it (`difsims restore FOLDER`), or name the champion (`difsims promote`)",
        )


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    wrong = [name for name, value in scores.items() if not isfinite(value)]
    if wrong:
        raise InputError(f"expected finite scores, found NaN or infinity in {', '.join(wrong)}", "leave these out")
    return {name: float(value) for name, value in scores.items()}
