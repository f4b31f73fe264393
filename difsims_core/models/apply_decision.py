"""From a decision to the registry: promote or note why not, and start again when another process was faster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from difsims_core.errors import ChampionChangedError
from difsims_core.models.promotion_rule import PromotionDecision
from difsims_core.models.registry import promote, read_registry, record_decision
from difsims_core.models.registry_record import ModelRegistry, RecordedDecision
from difsims_core.moments import now_text

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore

logger = logging.getLogger(__name__)

_TRIES = 3


@dataclass(frozen=True, slots=True)
class RetrainingOutcome:
    """How a retraining ended.

    Attributes
    ----------
    decision : PromotionDecision
        The last one that was made.
    before : str or None
        Id of the champion that it was made against.
    champion : str or None
        Id of the champion now.
    """

    decision: PromotionDecision
    before: str | None
    champion: str | None


def decide_and_apply(
    store: ObjectStore, challenger: str, ingredients: str, judge: Callable[[str | None], PromotionDecision]
) -> RetrainingOutcome:
    """Decide about a challenger and write the decision down; of two processes that promote at once one wins.

    The other one compares again, with the new champion. After three times it gives up for now: nothing is promoted,
    and the same ingredients will be looked at again.

    Parameters
    ----------
    store
        Where the registry lies.
    challenger
        Id of a model of the store.
    ingredients
        Digest of what it was made from and is compared on.
    judge
        Returns the decision against the champion of this id; None: there is no champion.
    """
    for _ in range(_TRIES):
        registry = read_registry(store)
        present = None if registry.champion is None else registry.champion.model
        decision = decision_without_comparison(registry, challenger) or judge(present)
        if not decision.promote:
            return _kept(store, registry, challenger, ingredients, decision)
        try:
            promote(
                store,
                registry,
                challenger,
                why=decision.why,
                scores=decision.scores,
                by="retrain",
                ingredients=ingredients,
            )
        except ChampionChangedError as error:
            logger.info("%s; comparing again", error)
            continue
        return RetrainingOutcome(decision, present, challenger)
    why = f"the registry changed {_TRIES} times during the comparison; the next retraining decides"
    return _kept(store, read_registry(store), challenger, "", PromotionDecision(False, why))


def decision_without_comparison(registry: ModelRegistry, model: str) -> PromotionDecision | None:
    """Return the decision about a model that needs no comparison: it is, or was, the champion."""
    if registry.champion is not None and registry.champion.model == model:
        return PromotionDecision(
            False, f"{model} is the champion already: the same datasets and parameters made it again"
        )
    if any(former.model == model for former in registry.former):
        return PromotionDecision(
            False, f"{model} was the champion before and has been replaced; only a person makes it champion again"
        )
    return None


def _kept(
    store: ObjectStore, registry: ModelRegistry, challenger: str, ingredients: str, decision: PromotionDecision
) -> RetrainingOutcome:
    noted = RecordedDecision(
        ingredients=ingredients, model=challenger, promoted=False, why=decision.why, when=now_text()
    )
    after = record_decision(store, noted)
    before = None if registry.champion is None else registry.champion.model
    return RetrainingOutcome(decision, before, None if after.champion is None else after.champion.model)
