"""The champion and the models whose training asked for it are to map every scan."""

from __future__ import annotations

from types import SimpleNamespace

from difsims_core.models import wanted
from tests.uploads import FIRST, SECOND, crown


def test_the_champion_comes_first_and_no_model_twice(store, monkeypatch):
    asked = [SimpleNamespace(id=SECOND), SimpleNamespace(id=FIRST)]
    monkeypatch.setattr(wanted, "models_to_evaluate", lambda _store: asked)
    assert wanted.wanted_models(store) == [SECOND, FIRST]
    crown(store, FIRST)
    assert wanted.wanted_models(store) == [FIRST, SECOND]
    asked.clear()
    assert wanted.wanted_models(store) == [FIRST], "whether its training asked for it or not"
