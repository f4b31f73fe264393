"""Fingerprints hold: those of the shipped documents, and those of any document when keys are added or renamed."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

import pytest
from pydantic import Field

from difsims_core import load_spec
from difsims_core.config.base import Spec
from difsims_core.config.documents import make_spec
from difsims_core.config.keys.fingerprint import AddedLater, FirstName, fingerprint_document
from difsims_core.dataset.plan import fingerprint
from difsims_core.errors import SpecError
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator

GOLDEN = {
    "bulk": "29736271149cf9073370792b152d28fd803a45bf2da21b9034b8457cb57caed3",
    "historical": "a1b1757850ac03f09c0fafdcb7e2add7a8c1245bae55bfee2dd28d608acec122",
    "realistic": "760aa8e48741d908b8e24c9a1a5b7ee6bac1084d5780549a327bc3c432eaefcd",
    "reference": "1f7db4600860080035db09eedc411cf39453a459fbd32d974d2a888d8209c934",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_shipped_document_keeps_its_fingerprint(name):
    """A dataset that somebody has made is found again; what changes bytes changes a version, and then this."""
    assert fingerprint(Simulator.prepare(load_spec(specs_folder() / f"{name}.yaml"))) == GOLDEN[name]


def test_no_shipped_document_is_left_out():
    others = {"pipeline", "polar", "legacy", "preprocess"}  # documents of other kinds
    assert {path.stem for path in specs_folder().glob("*.yaml")} == set(GOLDEN) | others


class Section(Spec):
    width: float = 1.0


class Document(Spec):
    seed: int = 1
    section: Section = Section()
    parts: tuple[Section, ...] = (Section(), Section(width=2.0))


class LaterSection(Spec):
    breadth: Annotated[float, FirstName("width")] = 1.0
    depth: Annotated[float | None, AddedLater(None)] = None


class LaterDocument(Spec):
    random_seed: Annotated[int, FirstName("seed", lambda value: value - 10)] = 11
    section: LaterSection = LaterSection()
    parts: tuple[LaterSection, ...] = (LaterSection(), LaterSection(breadth=2.0))
    extensions: Annotated[dict[str, int], AddedLater({})] = Field(default={})


def test_added_and_renamed_keys_leave_a_document_what_it_was():
    assert fingerprint_document(LaterDocument()) == fingerprint_document(Document()) == Document().to_document()
    assert LaterDocument().digest() == Document().digest()
    canonical = json.dumps(Document().to_document(), sort_keys=True, separators=(",", ":"))
    assert Document().digest() == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [{"random_seed": 12}, {"section": {"breadth": 3}}, {"section": {"depth": 1}}, {"extensions": {"a": 1}},
     {"parts": [{}, {"breadth": 2, "depth": 1}]}],
)  # fmt: skip
def test_other_values_are_other_documents(changes):
    assert LaterDocument.model_validate(changes).digest() != LaterDocument().digest()


FIRST = {"noise": {"snr": {"uniform": [0.99, 1]}, "intensity_spike": 0.5}, "order": "historical", "random_seed": 4}
TODAY = {
    "noise": {"hot_pixel_probability": {"uniform": [0, 0.005]}, "hot_pixel_intensity": 0.5},
    "noise_model": "historical", "seed": 4,
}  # fmt: skip


def test_keys_are_read_by_both_of_their_names():
    """(1 − snr) / 2 of the pixels read hot, so that a range turns round."""
    first, today = make_spec(FIRST), make_spec(TODAY)
    assert first == today
    assert first.to_document()["noise"]["hot_pixel_probability"] == {"uniform": [0, 0.005]}
    assert first.noise is not None
    assert first.noise.snr.support() == (0.99, 1)
    hashed = fingerprint_document(first)
    assert hashed["noise"]["snr"] == {"uniform": [0.99, 1]}
    assert (hashed["order"], hashed["noise"]["intensity_spike"]) == ("historical", {"fixed": 0.5})
    assert not {"noise_model", "hot_pixel_probability"} & {*hashed, *hashed["noise"]}


@pytest.mark.parametrize("snr", [0.9, 0.9999, {"choice": [0.9, 0.99, 1]}, {"fixed": 0.95}])
def test_every_form_of_a_first_name_is_converted(snr):
    spec = make_spec({"noise": {"snr": snr}})
    assert spec.noise is not None
    assert fingerprint_document(spec)["noise"]["snr"] == (snr if isinstance(snr, dict) else {"fixed": snr})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"noise": {"snr": 1, "hot_pixel_probability": 0}}, "snr.*hot_pixel_probability"),
        ({"noise": {"snr": -1}}, r"hot_pixel_probability: 1 .* 0 … 0\.5"),
        ({"noise": {"hot_pixel_probability": {"log_uniform": [1e-6, 1e-3]}}}, "found log_uniform"),
        ({"order": "historical", "noise_model": "physical"}, "noise_model.*order|order.*noise_model"),
    ],
)
def test_what_cannot_be_meant_is_refused(document, words):
    with pytest.raises(SpecError, match=words):
        make_spec(document)


def test_combinations_may_name_a_key_by_its_first_name():
    spec = make_spec({"noise": {"snr": {"choice": [0.9, 1]}}, "combinations": ["noise.snr"]})
    assert spec.combinations == ("noise.hot_pixel_probability",)
