"""What an engine is: how strongly crystals diffract into which spots (docs/physics.md §§3–4).

An engine answers one question: which beams leave a crystal of a phase in an orientation. What a detector makes of them
(distortion, calibration, random intensities, removed spots, discs, beam stop, annuli, cells, pixels) is the same for
all engines and needs nothing from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol, Self

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import Grains, grains
from difsims_core.diffraction.image import noise_free_images
from difsims_core.diffraction.polar import noise_free_polar_cells, noise_free_polar_patterns
from difsims_core.diffraction.profile import noise_free_profiles
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.diffraction.spots import DetectedSpots, detected_spots
from difsims_core.kernels.spots.records import Frame
from difsims_core.signal.cell_pixels import PolarCells

_POINTS_AT_ONCE = 2**21  # of convergence discs, so that their intensities stay within tens of MB


class PhaseTables(Protocol):
    """What an engine has prepared for a phase; beside this, whatever it needs itself."""

    @property
    def hkl(self) -> np.ndarray:
        """(n, 3) int16 Miller indices; ``Spots.reflection`` counts them."""
        ...

    @property
    def cell_volume(self) -> float:
        """Volume of the unscaled cell, Å³."""
        ...


class Engine(ABC):
    """A model of diffraction, prepared for the phases of one document.

    A member of the family states ``name`` and ``version`` and implements ``prepare``, ``phases``, ``spots`` and
    ``most_spots``. An engine is immutable once prepared: threads share it, and call it at the same time. Everything
    that it computes is a function of the document, the crystals and what was drawn; of random numbers there are none.

    Attributes
    ----------
    name : str
        Of ``diffraction.engine`` in documents.
    version : str
        Changes whenever the spots change for the same document. Name and version are part of every fingerprint.
    geometry : Geometry
        Beam, detector and annuli.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    geometry: Geometry

    @classmethod
    @abstractmethod
    def prepare(
        cls, spec: SimulationSpec, crystals: Sequence[Crystal], geometry: Geometry, q_max_per_angstrom: float
    ) -> Self:
        """Compute what all patterns of a document share, once: lists of reflections, structure factors, matrices.

        Parameters
        ----------
        spec
            The document; ``diffraction``, ``intensities`` and the lattice scales concern an engine.
        crystals
            The phases in label order. There may be others than ``spec.phases`` names.
        geometry
            Beam, detector and annuli.
        q_max_per_angstrom
            Largest in-plane scattering vector that a pattern can show. A model in which beams exchange intensity takes
            into account more than these.

        Raises
        ------
        InputError
            If a crystal cannot be computed, or the document asks for what the model does not have.
        """

    @property
    @abstractmethod
    def phases(self) -> Sequence[PhaseTables]:
        """What was prepared for each phase, in label order."""

    @abstractmethod
    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Compute the spots of some crystals of one phase.

        Parameters
        ----------
        crystals
            Phase ``label`` and, for each of the m crystals, ``conditions``: ``orientation``, ``lattice_scale``,
            ``thickness``, ``width`` of relrods, precession ``angle``, and for a convergent beam the radius ``disc`` of
            its cone with the number of its directions, ``points``. What else is in there belongs to the detector.
            All crystals of a phase come together, so that an engine can share work among those of one orientation,
            such as several thicknesses.
        frame
            Spots that it cannot show, after ``conditions.distortion``, may be left out; those of no intensity too.
        """

    @abstractmethod
    def most_spots(self, label: int) -> int:
        """Return a number of spots that no crystal of a phase exceeds, in whatever orientation."""

    def sources(self, crystals: Grains, frame: Frame) -> Iterator[SpotSource]:
        """Yield where kernels take the spots of some crystals from; here from ``spots``, a bounded number at a time.

        An engine whose spots kernels can compute on the way overrides this; the results are the same.
        """
        for part in self.parts(crystals):
            yield SpotSource.of_spots(part, self.spots(part, frame))

    def profiles(self, draws: Draws, labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Compute the noise-free radial profiles of some patterns.

        Parameters
        ----------
        draws
            What was drawn for them.
        labels
            (n,) phase of each; a label beyond the phases has no spots.
        seed
            Of random intensities.

        Returns
        -------
        profiles : (n, n_bins) float32
            Mean intensity per pixel of each annulus.
        unit : (n,) float64
            Unit of intensity P, 1 for a pattern without spots (docs/physics.md §6).
        """
        frame = self.geometry.frame
        return noise_free_profiles(self.geometry, self.sources_of(draws, labels, seed, frame), len(labels))

    def polar_patterns(
        self, draws: Draws, labels: np.ndarray, bins: slice, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute noise-free polar patterns over the annuli ``bins``; other parameters and unit as ``profiles``.

        Returns
        -------
        patterns : (n, n_rows, 360) float32
            Mean intensity per pixel of each cell. Where the frame cuts an annulus, cells beyond it hold what a larger
            detector would see.
        unit : (n,) float64
            As ``profiles``.
        """
        frame = self.geometry.frame
        return noise_free_polar_patterns(self.geometry, self.sources_of(draws, labels, seed, frame), len(labels), bins)

    def polar_cells(
        self, draws: Draws, labels: np.ndarray, cells: PolarCells, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute noise-free polar patterns on a reduced grid; other parameters and unit as ``profiles``.

        Returns
        -------
        patterns : (n, n_radii, n_azimuths) float32
            What the integration of an image gives: pixels, sampled at their centres, shared among the cells by area.
            Pixels that a beam stop or a gap hides give nothing; the area is that of the whole cell all the same.
        unit : (n,) float64
            As ``profiles``.
        """
        frame = self.geometry.frame
        return noise_free_polar_cells(self.geometry, self.sources_of(draws, labels, seed, frame), len(labels), cells)

    def images(
        self, draws: Draws, labels: np.ndarray, shape: tuple[int, int], seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute noise-free images (n, ny, nx) float32, intensity per pixel sampled at the pixel centres.

        Other parameters and unit as ``profiles``. The beam is at the centre of the frame; x runs along columns.
        """
        frame = self.geometry.image_frame(shape)
        return noise_free_images(frame, self.sources_of(draws, labels, seed, frame), len(labels), shape)

    def detected_spots(self, draws: Draws, labels: np.ndarray, seed: int = 0) -> DetectedSpots:
        """Return the spots on the detector of some patterns; parameters as ``profiles``.

        A convergence disc counts as one spot; of two grains, those of the first come first.
        """
        hkl = [tables.hkl for tables in self.phases]
        return detected_spots(
            self.geometry, hkl, self.sources_of(draws, labels, seed, self.geometry.frame), len(labels)
        )

    def grains(self, draws: Draws, labels: np.ndarray, seed: int = 0) -> Iterator[Grains]:
        """Yield the grains of some patterns, phase by phase; parameters as ``profiles``."""
        volumes = [tables.cell_volume for tables in self.phases]
        return (item for item in grains(self.geometry, volumes, draws, labels, seed) if len(item.which))

    def parts(self, crystals: Grains) -> Iterator[Grains]:
        """Yield crystals a bounded number at a time, so that their listed spots fit into memory.

        Those of one orientation come together, but for one orientation at each end of a part.
        """
        points = int(np.max(crystals.conditions.points)) * max(1, self.most_spots(crystals.label))
        at_once = max(1, _POINTS_AT_ONCE // points)
        order = _by_orientation(crystals.conditions.orientation)
        for first in range(0, len(order), at_once):
            yield crystals.part(order[first : first + at_once])

    def sources_of(self, draws: Draws, labels: np.ndarray, seed: int, frame: Frame) -> Iterator[SpotSource]:
        """Yield where kernels take the spots of some patterns from; parameters as ``profiles`` and ``spots``."""
        for item in self.grains(draws, labels, seed):
            yield from self.sources(item, frame)


def _by_orientation(orientation: np.ndarray) -> np.ndarray:
    """Return (m,) in which order equal quaternions (m, 4) are neighbours, each where the first of its equals stood."""
    _, first, same = np.unique(orientation, axis=0, return_index=True, return_inverse=True)
    return np.argsort(first[same], kind="stable")
