"""What is kept of all patterns of a scan while they are integrated: a mean profile, and a few numbers of each."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np

from difsims_core.experiment.frames import Block
from difsims_core.experiment.integrate.blocks import Patterns
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.signal.grid import REFERENCE_GRID
from difsims_core.storage.npz.pattern_flags import DEAD

_STORED = ("profiles", "centre", "flags", "counts", "beam_counts")


class StoredArrays(Protocol):
    """Arrays over the positions of a scan, by the paths under which they are stored."""

    def __getitem__(self, path: str, /) -> Any:
        """Return an array that is read when it is indexed."""
        ...


class ScanSums:
    """Sums over a scan that grow block by block; memory is that of some maps.

    Parameters
    ----------
    prepared
        The scan whose blocks are added.

    Attributes
    ----------
    counts, beam, scattered : (ny, nx) float64
        Counts of whole frames, within the disc of the beam (a virtual bright field), and within the crop (an annular
        dark field); NaN where nothing was added yet.
    centres : (ny, nx, 2) float64
        Row and column of the beam, px; NaN as above.
    flags : (ny, nx) uint8
        Bits of `integrate.blocks`.
    """

    def __init__(self, prepared: PreparedScan) -> None:
        shape, first = prepared.scan.scan_shape, prepared.grids.profile[0]
        self.counts, self.beam, self.scattered = (np.full(shape, np.nan) for _ in range(3))
        self.centres = np.full((*shape, 2), np.nan)
        self.flags = np.zeros(shape, np.uint8)
        self._sum, self._number = np.zeros((2, len(prepared.grids.q)))
        self._crop = slice(*(number - first for number in REFERENCE_GRID.crop_bins))
        step_px = REFERENCE_GRID.step_per_angstrom / prepared.survey.geometry.calibration_per_angstrom
        self._areas = 2 * np.pi * np.arange(*REFERENCE_GRID.crop_bins) * step_px**2  # px² of the annuli of the crop

    def add(self, block: Block, patterns: Patterns) -> None:
        """Add the patterns of a block; each block once, in any order."""
        at = (block.rows, block.columns)
        shape = self.flags[at].shape
        profiles = patterns.profiles.astype(np.float64)
        measured = np.isfinite(profiles)
        alive = measured & (patterns.flags & DEAD == 0)[:, None]
        self._sum += np.where(alive, profiles, 0.0).sum(axis=0)
        self._number += alive.sum(axis=0)
        profiles[~measured] = 0.0
        self.counts[at], self.beam[at] = (column.reshape(shape) for column in patterns.counts.T)
        self.scattered[at] = (profiles[:, self._crop] @ self._areas).reshape(shape)
        self.centres[at] = patterns.centres.reshape(*shape, 2)
        self.flags[at] = patterns.flags.reshape(shape)

    @classmethod
    def of_stored(cls, prepared: PreparedScan, arrays: StoredArrays) -> Self:
        """Return the sums of a scan that was integrated before.

        Parameters
        ----------
        prepared
            The scan.
        arrays
            ``profiles``, ``centre``, ``flags``, ``counts`` and ``beam_counts``, each (ny, nx, …); read a row of the
            scan at a time.
        """
        sums = cls(prepared)
        nothing = np.empty((0, 0, 0), np.float32)
        for row in range(prepared.scan.scan_shape[0]):
            block = Block(slice(row, row + 1), slice(0, prepared.scan.scan_shape[1]))
            found = {path: np.asarray(arrays[path][row]) for path in _STORED}
            counts = np.stack([found["counts"], found["beam_counts"]], axis=-1)
            sums.add(block, Patterns(found["profiles"], nothing, found["centre"], found["flags"], counts))
        return sums

    @property
    def mean_profile(self) -> np.ndarray:
        """(n_q,) float64: mean of the patterns that are not dead, counts per pixel; NaN where none was measured."""
        return np.divide(self._sum, self._number, out=np.full(len(self._sum), np.nan), where=self._number > 0)

    def share(self, flag: int, without: int = 0) -> float:
        """Return the share of patterns that have a flag, and none of some others."""
        return float(((self.flags & flag != 0) & (self.flags & without == 0)).mean())
