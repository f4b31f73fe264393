"""A legacy document as one of ours: ``convert_document`` (the command ``difsims convert``).

The meaning of every key is told where it is read: what is drawn in ``quantities``, the rest in ``sections``, swept
values in ``dimensions``. What holds for the whole document:

- Noise and background were combined in the order that ``noise_model: historical`` names (docs/physics.md §7).
- Crystals were never scaled and atoms never vibrated: ``lattice_scale: 1``, ``debye_waller: none``.
- The shape factor was diffsims' Lorentzian, averaged over the precession cone where there is precession
  (docs/physics.md §4).
- Whatever changed its meaning or is left out gives a finding: the old meaning, the new form, what to do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from difsims_core.config.documents import find_document, set_key
from difsims_core.config.legacy.dimensions import Document, at_point, find_axes, find_dimensions
from difsims_core.config.legacy.keys import ADDED_LATER, check_keys, looks_old
from difsims_core.config.legacy.quantities import LARGEST_EXCITATION_ERROR, Entry, read_quantities
from difsims_core.config.legacy.reading import Finding, OldDocument
from difsims_core.config.legacy.sections import (
    read_count,
    read_crystals,
    read_detector,
    read_orientations,
    read_output,
)
from difsims_core.config.legacy.tagged_yaml import read_old
from difsims_core.config.sweep import Sweep, make_sweep
from difsims_core.errors import SpecError

_TOP = "sim_params"
_LARGE = 1e9  # bytes of polar patterns that deserve a word
_POLAR_BYTES = {"polar_px": 147 * 360 * 4, "polar_all": 256 * 360 * 4}
_FIRST = ("n_patterns", "seed", "phases", "crystal_folder", "background_class")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of an old document.

    Attributes
    ----------
    source, sha256
        Name of the old file, and the digest of its bytes.
    document
        Plain values of ours, with ``sweep`` where values were swept.
    origins
        For each dotted key of it, the old key.
    findings
        What changed its meaning, is left out, or must be looked at.
    sweep
        The simulations that the document stands for, validated.
    """

    source: str
    sha256: str
    document: Document
    origins: dict[str, str]
    findings: tuple[Finding, ...]
    sweep: Sweep


def convert_document(path: str | Path) -> Conversion:
    """Read a legacy document, YAML or JSON, and return ours.

    Raises
    ------
    SpecError
        If it is missing, malformed or of another form, or a value has no meaning here.
    """
    path = find_document(path)
    source, tree = str(path), read_old(path)
    if isinstance(tree, dict) and isinstance(tree.get(_TOP), dict):
        beside = [str(key) for key in tree if key != _TOP]
        tree = tree[_TOP]
    else:
        beside = []
    if not isinstance(tree, dict) or not looks_old(tree):
        raise SpecError(
            f"{source}: not a legacy document, which has {_TOP} or sections such as structure_parameters",
            "a document of difsims needs no conversion",
        )
    findings: dict[str, Finding] = {}
    for key in beside:
        findings[key] = Finding(key, f"stands beside {_TOP} and is left out")
    origins: dict[str, str] = {}

    def convert(values: Any) -> Document:
        entries, found = convert_values(values, source)
        for finding in found:
            findings.setdefault(finding.key, finding)
        for entry in entries:
            origins.setdefault(entry.key, entry.origin)
        return _nested(entries)

    dimensions = find_dimensions(tree)
    document = convert(at_point(tree, {}))
    if dimensions:
        axes, idle = find_axes(tree, dimensions, convert, source)
        for place in idle:
            key = ".".join(map(str, place))
            findings[key] = Finding(key, "sweeping it changes nothing here, so it is swept no longer")
        document |= {"sweep": axes} if axes else {}
    plain = {key: value for key, value in document.items() if key != "sweep"}
    sweep = make_sweep(plain, document.get("sweep", {}), source=f"{source}, converted")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Conversion(path.name, digest, document, origins, tuple(findings.values()), sweep)


def convert_values(values: Any, source: str) -> tuple[list[Entry], list[Finding]]:
    """Return the keys of our document for plain values of the legacy form, and what there is to say."""
    old = OldDocument(values, source)
    check_keys(old)
    drawn = read_quantities(old)
    entries = [*read_crystals(old), *read_orientations(old), *read_detector(old), *drawn.entries]
    entries += read_output(old)
    keys = {entry.key: entry.value for entry in entries}
    count = read_count(old, len(keys["phases"]) + keys["background_class"], drawn.copies)
    bare = "noise" in keys and "background" in keys
    through = ", ".join(entry.origin for entry in drawn.entries if entry.key in drawn.combinations)
    entries += [
        *count,
        Entry("diffraction.max_excitation_error_per_angstrom", LARGEST_EXCITATION_ERROR, "diffsims' default"),
        Entry("diffraction.relrod_width_per_angstrom", LARGEST_EXCITATION_ERROR, "diffsims' default"),
        Entry("diffraction.shape_factor", "lorentzian", "diffsims' default"),
        Entry("diffraction.debye_waller", "none", "diffsims' default"),
        Entry("lattice_scale", 1.0, "crystals were never scaled"),
        Entry("combinations", drawn.combinations or False, through or "no list was gone through"),
        Entry("noise_model", "physical" if bare else "historical", "the old order of noise and background"),
    ]
    _mention_size(old, keys, count[0].value)
    absent = sorted(set(old.absent) - ADDED_LATER)
    if absent:
        old.warn(
            "not in the document",
            f"{', '.join(absent)}; noise, background and all else that they switch on is off, numbers "
            "are at their default here",
        )
    return entries, old.findings


def _mention_size(old: OldDocument, keys: dict[str, Any], n_patterns: int) -> None:
    size = n_patterns * sum(size for name, size in _POLAR_BYTES.items() if keys[f"output.{name}"])
    if size > _LARGE:
        old.warn(
            "detector_geometry.radial_integration_2d",
            f"polar patterns of {n_patterns:,} patterns take up to {size / 1e9:.0f} GB before compression; "
            "output.polar_all: false and output.polar_px: false leave them out",
        )


def _nested(entries: list[Entry]) -> Document:
    """Return the entries as sections, in the order in which people read them."""
    document: Document = {}
    for entry in sorted(entries, key=lambda entry: _FIRST.index(entry.key) if entry.key in _FIRST else len(_FIRST)):
        set_key(document, entry.key, entry.value, entry.key)
    return document
