"""Simulate a run of patterns in memory: a pure function of the document and the pattern indices (PHYSICS §8)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from operator import index

import numpy as np
from scipy.sparse import csr_matrix

from difsims_core.augment.background import apply_background
from difsims_core.augment.noise import apply_counting_noise, apply_historical_noise
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal, load_crystal
from difsims_core.crystal.rows import ReflectionRows
from difsims_core.dataset.tables import build_tables
from difsims_core.diffraction.draws import Draws, draw_patterns
from difsims_core.diffraction.profile import Geometry, noise_free_profiles
from difsims_core.errors import InputError
from difsims_core.kernels.rebin import apply_rows
from difsims_core.signal.grid import pixel_counts
from difsims_core.signal.preprocess import normalise, square_root
from difsims_core.signal.resample import q_crop_axis, rebin_matrix
from difsims_core.storage.names import split_url

ENGINE_VERSION = "1"
"""Changes whenever the bytes of a simulation change for the same document; part of every fingerprint."""

_SLICE = 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Simulated patterns ``start`` … ``stop``.

    Attributes
    ----------
    x_px : (n, 147) float32
        Profiles over the pixel crop, min–max normalised: the classifier's input.
    y : (n,) uint8
        Class labels.
    x_all : (n, 256) float32 or None
        Profiles over the whole grid, min–max normalised; when kept.
    x_q : (n, m) float32 or None
        Profiles over the q crop; when asked for.
    draws : mapping of name to (n, …) array
        Everything drawn, see ``Draws``.
    q_px, q_all, q_q : (147,), (256,), (m,) float64
        q axes, Å⁻¹.
    """

    start: int
    stop: int
    x_px: np.ndarray
    y: np.ndarray
    x_all: np.ndarray | None
    x_q: np.ndarray | None
    draws: Mapping[str, np.ndarray]
    q_px: np.ndarray
    q_all: np.ndarray
    q_q: np.ndarray | None


def simulate(spec: SimulationSpec, start: int = 0, stop: int | None = None, threads: int | None = None) -> Block:
    """Simulate patterns ``start`` … ``stop`` of a document, in memory.

    Parameters
    ----------
    spec
        The document.
    start, stop
        Pattern indices; ``stop`` defaults to ``n_patterns``.
    threads
        Threads to use; default: all processors. The bytes do not depend on it.

    Raises
    ------
    InputError
        If the range lies outside the dataset, or a crystal cannot be simulated.
    """
    if not isinstance(spec, SimulationSpec):
        raise InputError(
            f"expected a SimulationSpec, found {type(spec).__name__}; read a document with load_spec(path) or "
            "build one with SimulationSpec(...)"
        )
    return Simulator.prepare(spec).block(start, spec.n_patterns if stop is None else stop, threads)


@dataclass(frozen=True, eq=False)
class Simulator:
    """A document with its crystals read and its tables built; build it with ``prepare``.

    Attributes
    ----------
    spec
        The document.
    crystals
        The phases, in label order.
    rows
        Reflections of each phase.
    geometry
        Beam, detector and spread operator.
    grids
        Orientations to choose from, for each phase; ``None`` when they are uniform.
    """

    spec: SimulationSpec
    crystals: tuple[Crystal, ...]
    rows: tuple[ReflectionRows, ...]
    geometry: Geometry
    grids: list[np.ndarray] | None

    @classmethod
    def prepare(cls, spec: SimulationSpec) -> Simulator:
        """Read the crystals of a document and build its tables; the last few are remembered.

        Raises
        ------
        InputError
            If a crystal is missing, malformed or has no allowed reflection, or the detector does not reach the crop.
        """
        spec = _with_absolute_paths(spec)
        crystals = tuple(load_crystal(phase.name, phase.cif, spec.crystal_folder) for phase in spec.phases)
        return _prepared(spec, crystals)  # pyright: ignore[reportArgumentType] - frozen models have a hash

    @property
    def engine_version(self) -> str:
        """Version of the engine that makes the bytes."""
        return ENGINE_VERSION

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label order."""
        return self.spec.class_names

    @property
    def q_all(self) -> np.ndarray:
        """(256,) grid points, Å⁻¹."""
        return self.geometry.grid.q

    @property
    def q_px(self) -> np.ndarray:
        """(147,) grid points of the pixel crop, Å⁻¹."""
        return self.q_all[self.geometry.grid.crop]

    @property
    def q_q(self) -> np.ndarray | None:
        """(m,) bin centres of the q crop, Å⁻¹, when one is asked for."""
        crop = self.spec.postprocessing.q_crop
        return None if crop is None else q_crop_axis(crop)

    @property
    def draw_templates(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Trailing shape and dtype of each drawn quantity."""
        drawn = draw_patterns(self.spec, self.grids, 0, 1).arrays()
        return {name: (values.shape[1:], values.dtype.str) for name, values in drawn.items()}

    def block(self, start: int, stop: int, threads: int | None = None) -> Block:
        """Simulate patterns ``start`` … ``stop``; see ``simulate``."""
        if threads is not None and threads < 1:
            raise InputError(f"expected at least one thread, found {threads}")
        start, stop = index(start), index(stop)
        if not 0 <= start < stop <= self.spec.n_patterns:
            raise InputError(
                f"patterns {start} … {stop} were asked for, but the document has {self.spec.n_patterns}; "
                "expected 0 ≤ start < stop ≤ n_patterns"
            )
        draws = draw_patterns(self.spec, self.grids, start, stop)
        n, post, grid = stop - start, self.spec.postprocessing, self.geometry.grid
        x_px = np.empty((n, len(self.q_px)), np.float32)
        x_all = np.empty((n, grid.n_bins), np.float32) if self.spec.output.x_all else None
        x_q = None if post.q_crop is None else np.empty((n, post.q_crop.n_points), np.float32)
        rebin = None if post.q_crop is None else csr_matrix(rebin_matrix(grid, post.q_crop))

        def fill(first: int) -> None:
            part = slice(first, min(first + _SLICE, n))
            profiles = self._profiles(draws, start, part, full=x_all is not None or x_q is not None)
            if not np.isfinite(profiles.max()):
                raise InputError("a profile is no longer finite; background and noise parameters are out of proportion")
            x_px[part] = normalise(profiles[:, grid.crop])
            if x_all is not None:
                x_all[part] = normalise(profiles)
            if x_q is not None and rebin is not None:
                cropped = np.empty((len(profiles), x_q.shape[1]), np.float32)
                apply_rows(profiles, rebin.indptr, rebin.indices, rebin.data, cropped)
                x_q[part] = normalise(cropped)

        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            list(pool.map(fill, range(0, n, _SLICE)))
        labels = ((start + np.arange(n)) % len(self.class_names)).astype(np.uint8)
        return Block(start, stop, x_px, labels, x_all, x_q, draws.arrays(), self.q_px, self.q_all, self.q_q)

    def _profiles(self, block_draws: Draws, start: int, part: slice, *, full: bool) -> np.ndarray:
        """Return (m, 256) profiles of a slice of a block, all but the normalisation (PHYSICS §7)."""
        spec, geometry = self.spec, self.geometry
        draws = Draws(**{name: values[part] for name, values in block_draws.arrays().items()})
        patterns = start + np.arange(part.start, part.stop, dtype=np.int64)
        profiles = np.zeros((len(patterns), geometry.grid.n_bins), np.float32)
        unit = np.ones(len(patterns))
        for label, rows in enumerate(self.rows):
            which = np.flatnonzero(patterns % len(self.class_names) == label)
            unit[which] = noise_free_profiles(geometry, rows, draws, which, profiles)
        counts = pixel_counts(spec.detector.size_px, spec.detector.calibration_per_angstrom, geometry.grid)
        if spec.order == "historical":
            return self._historical(profiles, counts, unit, draws, patterns)
        if spec.background is not None:
            profiles = self._with_background(profiles, draws)
        if spec.noise is not None:
            wanted = slice(None) if full else geometry.grid.crop
            profiles = apply_counting_noise(
                profiles, counts, unit, draws.dose, draws.snr, draws.intensity_spike, spec.seed, patterns,
                wanted, geometry.grid.crop,
            )  # fmt: skip
        return square_root(profiles) if spec.postprocessing.sqrt else profiles

    def _historical(
        self, profiles: np.ndarray, counts: np.ndarray, unit: np.ndarray, draws: Draws, patterns: np.ndarray
    ) -> np.ndarray:
        if self.spec.noise is not None:
            profiles = apply_historical_noise(
                profiles, counts, unit, draws.snr, draws.intensity_spike, self.spec.seed, patterns
            )
        profiles = normalise(square_root(profiles) if self.spec.postprocessing.sqrt else profiles)
        return profiles if self.spec.background is None else self._with_background(profiles, draws, height=1.0)

    def _with_background(self, profiles: np.ndarray, draws: Draws, height: float | None = None) -> np.ndarray:
        assert self.spec.background is not None  # noqa: S101 - narrows the type; both callers asked
        top = profiles.max(axis=1) if height is None else np.full(len(profiles), height)
        return apply_background(
            profiles,
            self.geometry.grid.q,
            np.where(top > 0, top, 1.0),
            draws.background_amplitude,
            draws.background_decay_angstrom,
            self.spec.background.model,
        )


def _with_absolute_paths(spec: SimulationSpec) -> SimulationSpec:
    """Return the document with the places of its crystals as seen from anywhere, so that it can be run elsewhere."""

    def absolute(place: str | None) -> str | None:
        if place is None:
            return None
        scheme, path = split_url(place)
        return path if scheme == "file" else place

    phases = tuple(phase.model_copy(update={"cif": absolute(phase.cif)}) for phase in spec.phases)
    return spec.model_copy(update={"crystal_folder": absolute(spec.crystal_folder), "phases": phases})


@lru_cache(maxsize=4)
def _prepared(spec: SimulationSpec, crystals: tuple[Crystal, ...]) -> Simulator:
    return Simulator(spec, crystals, *build_tables(spec, crystals))
