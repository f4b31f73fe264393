"""What the registry of models says: champions, decisions, and how they are written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from difsims_core.errors import CorruptDataError
from difsims_core.storage import layout

By = Literal["retrain", "rollback", "hand"]  # how a model came to be champion

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Champion:
    """A model that is, or was, the one to predict with.

    Attributes
    ----------
    model : str
        Its id.
    since : str
        ISO date and time of its promotion.
    why : str
        The reason, a sentence.
    scores : mapping of str to float
        The numbers that decided.
    by : str
        ``retrain``, ``rollback`` (to a former one) or ``hand``.
    """

    model: str
    since: str
    why: str
    scores: Mapping[str, float]
    by: By


@dataclass(frozen=True, slots=True)
class Consideration:
    """A decision about a challenger, or that there was nothing to train on.

    Attributes
    ----------
    ingredients : str
        SHA-256 of everything it was decided on: datasets, experiments, code.
    model : str or None
        The challenger; None when none was trained.
    promoted : bool
        Whether it became the champion.
    why : str
        The reason, a sentence.
    when : str
        ISO date and time.
    """

    ingredients: str
    model: str | None
    promoted: bool
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry as it was read.

    Attributes
    ----------
    champion : Champion or None
        The model to predict with; None before the first promotion.
    former : tuple of Champion
        Those before it, latest first.
    considered : tuple of Consideration
        Latest first, at most 200.
    version : str or None
        Of the stored record, for the conditional write; None when there is none.
    """

    champion: Champion | None = None
    former: tuple[Champion, ...] = ()
    considered: tuple[Consideration, ...] = ()
    version: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the record, plain JSON values."""
        return {
            "format": _FORMAT,
            "champion": None if self.champion is None else asdict(self.champion),
            "former": [asdict(champion) for champion in self.former],
            "considered": [asdict(consideration) for consideration in self.considered],
        }


def registry_from(data: bytes, where: str) -> Registry:
    """Return the registry that the bytes of a record describe; its version is unknown.

    Raises
    ------
    CorruptDataError
        If they do not describe one; ``where`` says whose they are.
    """
    try:
        return _registry(json.loads(data))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise CorruptDataError(
            f"{where}: not the registry of models ({what}); restore it from a backup (`difsims restore FOLDER`), or "
            "use the version of difsims that wrote it"
        ) from None


def _registry(document: Any) -> Registry:
    if not isinstance(document, dict):
        raise TypeError(f"expected an object, found {type(document).__name__}")
    if document["format"] != _FORMAT:
        raise ValueError(f"expected format {_FORMAT}, found {document['format']!r}")
    champion = document["champion"]
    return Registry(
        None if champion is None else _champion(champion),
        tuple(_champion(item) for item in document["former"]),
        tuple(_consideration(item) for item in document["considered"]),
    )


def _champion(item: Mapping[str, Any]) -> Champion:
    scores = {str(name): float(value) for name, value in item["scores"].items()}
    model = layout.check_model_id(item["model"])
    if item["by"] not in get_args(By):
        raise ValueError(f"expected by {' or '.join(get_args(By))}, found {item['by']!r}")
    return Champion(model, str(item["since"]), str(item["why"]), scores, item["by"])


def _consideration(item: Mapping[str, Any]) -> Consideration:
    model = item["model"] if item["model"] is None else layout.check_model_id(item["model"])
    return Consideration(str(item["ingredients"]), model, bool(item["promoted"]), str(item["why"]), str(item["when"]))
