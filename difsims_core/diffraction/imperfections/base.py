"""What an imperfection of another package is: one stage of the way from draws to counts that it changes.

The document asks for it under ``extensions: {name: {…}}``, ``name`` being that of its entry point in the group
``difsims.imperfections``, which refers to a class derived from one of the four below, or to an instance of one.

All hooks are functions of their arguments alone: the same patterns must come out however a dataset is cut into blocks.
Patterns are in rows; the hooks of a stage are called in the order of the names, and threads call them at the same time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from difsims_core.config.base import Spec
from difsims_core.config.distributions import Choice, Distribution, LogUniform
from difsims_core.randomness import NamedRandom

if TYPE_CHECKING:
    from difsims_core.diffraction.draws import Draws
    from difsims_core.diffraction.sources import Spots

Stage = Literal["draws", "spots", "profile", "counts"]
Route = Literal["profile", "polar", "image"]


@dataclass(frozen=True, slots=True)
class SignalAxes:
    """Where on the detector the values of a pattern lie.

    Attributes
    ----------
    route
        ``profile``: (n_q,) means over annuli; ``polar``: (n_q, n_azimuth) means over their cells; ``image``: (ny, nx)
        pixels. All are intensities per pixel.
    q_per_angstrom
        (n_q,), (n_q, 1) or (ny, nx): |q| at the nominal calibration; it broadcasts against the values.
    azimuth_deg
        None, (n_azimuth,) or (ny, nx): from +x (columns) towards +y (rows).
    """

    route: Route
    q_per_angstrom: np.ndarray
    azimuth_deg: np.ndarray | None = None


class Imperfection(ABC):
    """A change of simulated patterns at one stage; a member derives from the class of its stage.

    Attributes
    ----------
    stage : str
        Of the four classes below.
    version : str
        Changes whenever the results do for the same section. Name, version and section belong to the fingerprint of a
        dataset.
    section : type of Spec
        What the document says of it: frozen and forbidding, every key with a default, of plain values and
        `Distribution` s. ``None`` and ``{}`` in a document stand for the defaults.
    routes : set of str
        What it can be applied to: a document or a call that wants another route is refused. Draws and spots are
        common to all.
    """

    stage: ClassVar[Stage]
    version: ClassVar[str]
    section: ClassVar[type[Spec]]
    routes: ClassVar[frozenset[Route]] = frozenset(("profile", "polar", "image"))

    def draw(self, section: Any, draws: Draws, random: NamedRandom) -> Mapping[str, np.ndarray]:  # noqa: ARG002
        """Return quantities to add or to replace, (n, …) each by name; whatever the stage, this comes first.

        Parameters
        ----------
        section
            An instance of ``section``.
        draws
            What was drawn so far for n patterns, those of extensions of earlier names included.
        random
            The numbers of this imperfection; the same address gives the same number at every stage.

        A new quantity is stored as ``draws/<name>`` with the dataset, and all stages find it in ``draws``. One of an
        existing name replaces it and must have its shape, its kind of number, and values that the document allows:
        ``sigma_px`` one of its levels, a lattice scale within its range.
        """
        return {}


class DrawsImperfection(Imperfection):
    """Adds or alters what is drawn, and nothing else."""

    stage: ClassVar[Stage] = "draws"

    @abstractmethod
    def draw(self, section: Any, draws: Draws, random: NamedRandom) -> Mapping[str, np.ndarray]:
        """Return quantities to add or to replace; see `Imperfection.draw`."""


class SpotsImperfection(Imperfection):
    """Changes the beams that leave the crystals: intensities and scattering vectors."""

    stage: ClassVar[Stage] = "spots"

    @abstractmethod
    def change_spots(self, section: Any, spots: Spots, draws: Draws, random: NamedRandom) -> Spots:
        """Return the spots of m crystals of one phase, as many as before.

        Parameters
        ----------
        section
            An instance of ``section``.
        spots
            As the engine gives them: before distortion, calibration, random intensities, removal and convergence.
            Spots that the detector cannot show are not there. ``spots.crystal`` says whose each of them is.
        draws
            Rows of these m crystals.
        random
            A number for each spot and purpose, addressed by its pattern and reflection: the same in profiles, polar
            patterns and images. The second grain of a pattern has its own.

        Only ``g`` and ``intensity`` (finite, not negative) may differ: ``dataclasses.replace(spots, intensity=…)``. A
        spot of intensity 0 is gone.
        """


class _SignalImperfection(Imperfection):
    routes: ClassVar[frozenset[Route]] = frozenset(("profile",))


class ProfileImperfection(_SignalImperfection):
    """Changes what reaches the detector from the crystals, before background and counting."""

    stage: ClassVar[Stage] = "profile"

    @abstractmethod
    def change_signal(
        self, section: Any, values: np.ndarray, axes: SignalAxes, draws: Draws, random: NamedRandom
    ) -> np.ndarray:
        """Return noise-free intensities (n, …) of finite values.

        Parameters
        ----------
        section
            An instance of ``section``.
        values
            (n, n_q) float32 on the full grid, (n, n_q, n_azimuth) or (n, ny, nx): mean intensities per pixel. A copy:
            it may be changed in place. The maximum of a profile that is returned is what the amplitudes of backgrounds
            are relative to.
        axes
            Where they lie; its ``route`` is one of ``routes``.
        draws, random
            What was drawn for the n patterns, and further numbers for them.
        """


class CountsImperfection(_SignalImperfection):
    """Changes what the detector reads, after counting noise and before square root, crop and normalisation.

    In the historical order of a document the background follows after it. Without ``noise`` it comes at the same place.
    """

    stage: ClassVar[Stage] = "counts"

    @abstractmethod
    def change_counts(
        self, section: Any, values: np.ndarray, axes: SignalAxes, draws: Draws, random: NamedRandom
    ) -> np.ndarray:
        """Return readings (n, …) of finite values; parameters as `ProfileImperfection.change_signal`.

        The unit is that of the noise-free intensities: counts over the dose, times the unit of intensity P.
        """


def sample(wanted: Distribution, random: NamedRandom, purpose: str) -> np.ndarray:
    """Return (n,) float32 draws of a distribution that a section asks for."""
    unit = random.uniform(purpose)
    if isinstance(wanted, Choice):
        return np.array(wanted.choice, np.float32)[(unit * len(wanted.choice)).astype(np.int64)]
    low, high = wanted.support()
    if isinstance(wanted, LogUniform):
        return np.exp(np.log(low) + unit * (np.log(high) - np.log(low))).astype(np.float32)
    return (low + unit * (high - low)).astype(np.float32)
