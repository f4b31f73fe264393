"""What makes two preprocessed scans the same: the same frames, treated alike."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.experiment.frames import DetectorCorrection, blocks_of, read_block
from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.raw_scan import RawScan
from difsims_core.storage.zarr.written import checksum

PREPROCESSING_VERSION = "2"
"""Of what turns frames into patterns; another one when results change."""


def raw_sha256(scan: RawScan) -> str:
    """Return the SHA-256 over the files of a raw scan, or over its frames where they lie in a Zarr group.

    Raises
    ------
    ExperimentError
        If frames cannot be read, or changed meanwhile.
    """
    digest = hashlib.sha256()
    for path in scan.files:
        with Path(path).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    if not scan.files:
        for block in blocks_of(scan):
            digest.update(np.ascontiguousarray(read_block(scan, block, DetectorCorrection())).data)
    scan.require_unchanged()
    return digest.hexdigest()


def fingerprint(inputs: ScanInputs, raw: str) -> str:
    """Return the SHA-256 of everything that a preprocessed scan depends on; ``raw`` is the checksum of its frames.

    That is the document without the places of its files, what they hold, and what the file of the scan, and those
    beside it, say of its frames.
    """
    document, scan = fingerprint_document(inputs.spec), inputs.scan
    for place in ("mask", "dark", "gain"):
        del document["pixels"][place]
    del document["phases"]
    document["geometry"].pop("standard", None)
    references = {"mask": inputs.mask, "dark": inputs.correct.dark, "gain": inputs.correct.gain}
    content = {
        "raw": raw,
        "scan": [*scan.scan_shape, inputs.geometry.calibration_per_angstrom, scan.scan_step_nm, scan.beam_energy_kv],
        "ellipse_of_standard": inputs.geometry.ellipse,
        "parameters": document,
        "references": {name: None if item is None else checksum(item) for name, item in references.items()},
        "crystals": [crystal.structure_sha256 for crystal in inputs.crystals],
        "version": PREPROCESSING_VERSION,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
