"""Drawn quantities of the legacy form: lists that were gone through, or drawn from (docs/physics.md §§4–7).

- ``relrod_list`` reached diffsims' third positional parameter: it was the precession angle in degrees. The width of the
  relrod and the largest excitation error were never set and were diffsims' defaults, 0.01 Å⁻¹ both.
- ``randomise_…: false`` and ``add_…: true`` went through all values for each orientation: ``combinations`` lists these.
  ``randomise_…: true`` and ``add_…: random`` drew one of them for each pattern, as a ``choice`` does.
- A spike of 0 meant that a pattern got no noise at all, neither counting noise nor hot pixels, and so it does in the
  historical order; an amplitude of 0 meant no background. Both stand in the lists as they are. A non-noisy
  (non-background) copy of the data becomes zeros in the list: one more value where all are gone through, as many zeros
  as values where they are drawn, which is the old half.
- Going through all backgrounds lost all but the last τ of the first A and always kept a copy without background; here
  nothing is lost, and A = 0 is added where it is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from difsims_core.config.keys.aliases import hot_probability
from difsims_core.config.legacy.keys import BACKGROUND, NOISE, REMOVAL
from difsims_core.config.legacy.reading import OldDocument

LARGEST_EXCITATION_ERROR = 0.01  # Å⁻¹, diffsims' default in get_diffraction_library, which nothing ever changed
DIRECT_BEAM = 10.0  # see _direct_beam
_MOST_REMOVED = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the new document.

    Attributes
    ----------
    key
        Dotted.
    value
        Plain.
    origin
        The old key that it comes from, or why it is there.
    """

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Values of one quantity.

    Attributes
    ----------
    key, origin
        Where it stands here, and stood.
    values
        In the order of the old document.
    gone_through
        Whether every orientation had all of them; else one was drawn.
    """

    key: str
    origin: str
    values: tuple[float, ...]
    gone_through: bool

    @property
    def entry(self) -> Entry:
        """The quantity as the new document has it."""
        one = len(set(self.values)) == 1
        return Entry(self.key, self.values[0] if one else {"choice": list(self.values)}, self.origin)


@dataclass(frozen=True, slots=True)
class Drawn:
    """All that is drawn.

    Attributes
    ----------
    entries
        Keys of the new document.
    combinations
        Keys of the new document whose values are all gone through for each orientation.
    copies
        Patterns that the legacy form made of one orientation.
    """

    entries: list[Entry]
    combinations: list[str]
    copies: int


def read_quantities(old: OldDocument) -> Drawn:
    """Return everything that is drawn for a pattern, orientation and calibration excepted."""
    noise, noise_copies = _noise(old)
    background, background_copies = _background(old)
    listed = [*_relrod(old), *_sigma(old), *noise, *background]
    through = [quantity for quantity in listed if quantity.gone_through and len(set(quantity.values)) > 1]
    copies = prod(len(quantity.values) for quantity in through) * noise_copies * background_copies
    entries = [quantity.entry for quantity in listed]
    entries += [] if noise else [Entry("noise", None, f"{NOISE}.add_noise")]
    entries += [] if background else [Entry("background", None, BACKGROUND)]
    if noise:
        entries.append(Entry("noise.dose", 1.0, "the old noise had no dose; the historical order does not use it"))
    entries += [_removal(old), _direct_beam(old)]
    return Drawn(entries, [quantity.key for quantity in through], copies)


def _relrod(old: OldDocument) -> list[Listed]:
    key = "relrod_parameters.relrod_list"
    through = not old.truth("relrod_parameters.randomise_relrod", True)
    values = tuple(abs(value) for value in old.numbers(key))
    if not values:
        return []
    old.warn(
        key,
        f"it was the precession angle in degrees, not a relrod length, and is diffraction.precession_angle_deg here; "
        f"the relrod width and the largest excitation error were always {LARGEST_EXCITATION_ERROR} Å⁻¹. For true "
        "relrod widths set diffraction.relrod_width_per_angstrom (about 1/thickness, 0.005 … 0.05 Å⁻¹) and "
        "precession_angle_deg: 0",
    )
    return [Listed("diffraction.precession_angle_deg", key, values, through)]


def _sigma(old: OldDocument) -> list[Listed]:
    key = "sigma_parameters.sigma_2d_gaussian_list"
    through = not old.truth("sigma_parameters.randomise_sigmas", True)
    values = tuple(old.numbers(key))
    return [Listed("spots.sigma_px", key, values, through)] if values else []


def _noise(old: OldDocument) -> tuple[list[Listed], int]:
    """Return hot pixels, and how many sets of patterns a drawn intensity makes; none without noise."""
    mode = old.mode(f"{NOISE}.add_noise")
    snrs, spikes = old.numbers(f"{NOISE}.snrs"), old.numbers(f"{NOISE}.intensity_spikes")
    clean = f"{NOISE}.include_also_non_noisy_simulation"
    both = old.truth(clean, False)
    if mode is False:
        return [], 1
    if not snrs or not spikes:
        raise old.wrong(NOISE, "add_noise needs values of snrs and intensity_spikes; list them or set add_noise: false")
    spikes, copies = _with_zeros(old, clean, spikes, "hot_pixel_intensity", mode) if both else (spikes, 1)
    return [
        Listed("noise.hot_pixel_probability", f"{NOISE}.snrs", tuple(map(hot_probability, snrs)), mode is True),
        Listed("noise.hot_pixel_intensity", f"{NOISE}.intensity_spikes", tuple(spikes), mode is True),
    ], copies


def _background(old: OldDocument) -> tuple[list[Listed], int]:
    """Return amplitude and decay, and how many sets of patterns a drawn one makes; none without background."""
    mode = _background_mode(old)
    a, tau = old.numbers(f"{BACKGROUND}.a_vals"), old.numbers(f"{BACKGROUND}.tau_vals")
    # Before it had a switch of its own, the one of the noise decided on the background too.
    clean = f"{BACKGROUND}.include_also_non_bkg_simulation"
    clean = clean if old.has(clean) else f"{NOISE}.include_also_non_noisy_simulation"
    both = old.truth(clean, False)
    if mode is False:
        return [], 1
    if not a or not tau:
        raise old.wrong(BACKGROUND, "a background needs values of a_vals and tau_vals; list them or switch it off")
    copies = 1
    if mode is True:
        a = a if 0.0 in a else [0.0, *a]
        old.warn(
            f"{BACKGROUND}.a_vals",
            "all but the last τ of the first A were lost, and a copy without background was kept; here all "
            "combinations are there, with A = 0 among them",
        )
    elif both:
        a, copies = _with_zeros(old, clean, a, "background.amplitude", mode)
    old.warn(
        BACKGROUND,
        "profiles with a background were divided by their maximum; here every profile goes from 0 to 1 (min–max), so "
        "the level of the background goes and its slope stays",
    )
    return [
        Listed("background.amplitude", f"{BACKGROUND}.a_vals", tuple(a), mode is True),
        Listed("background.decay_angstrom", f"{BACKGROUND}.tau_vals", tuple(tau), mode is True),
    ], copies


def _background_mode(old: OldDocument) -> bool | str:
    """Return the switch of the background under any of the names that it has had."""
    for name in ("add_background_to_simulation", "add_background_to_1d"):
        if old.has(f"{BACKGROUND}.{name}"):
            return old.mode(f"{BACKGROUND}.{name}")
    key = f"{BACKGROUND}.add_background_to"
    if not old.has(key):
        return old.mode(f"{BACKGROUND}.add_background_to_1d")
    if old.value(key) not in ("1d", "none", None):
        raise old.wrong(key, f"expected '1d' or 'none', found {old.value(key)!r}")
    return old.value(key) == "1d"


def _with_zeros(
    old: OldDocument, key: str, values: list[float], name: str, mode: bool | str
) -> tuple[list[float], int]:
    """Return the values with zeros for the copy without them, and the factor on the number of patterns."""
    if mode is True:
        if 0.0 in values:
            old.warn(key, f"one clean copy was added; here the 0 that {name} has already stands for it")
            return values, 1
        old.warn(key, f"one clean copy was added; here 0 joins {name} and is combined with everything else")
        return [0.0, *values], 1
    old.warn(key, f"a clean copy of all patterns was added; here half of the values of {name} are 0 for it")
    return [0.0] * len(values) + values, 2


def _removal(old: OldDocument) -> Entry:
    wanted = old.truth(f"{REMOVAL}.remove_peaks_from_diffraction_library", False)
    among, count = old.whole(f"{REMOVAL}.n_intensity_peaks"), old.value(f"{REMOVAL}.num_peaks_to_remove")
    if not wanted:
        return Entry("spots.removal", None, f"{REMOVAL}.remove_peaks_from_diffraction_library")
    if among is None or among < 1:
        raise old.wrong(f"{REMOVAL}.n_intensity_peaks", f"expected a whole number of at least 1, found {among!r}")
    if count != "random" and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
        raise old.wrong(
            f"{REMOVAL}.num_peaks_to_remove", f"expected 'random' or a whole number of at least 0, found {count!r}"
        )
    if among > _MOST_REMOVED:
        old.warn(
            f"{REMOVAL}.n_intensity_peaks", f"at most {_MOST_REMOVED} spots can be chosen from here; {among} is cut"
        )
        among = _MOST_REMOVED
    count = "uniform" if count == "random" else min(count, among)
    return Entry("spots.removal", {"among": among, "count": count}, REMOVAL)


def _direct_beam(old: OldDocument) -> Entry:
    """Return the direct beam: |F(000)|² was two to four times the strongest |F|² of the shipped phases.

    The reflections of a pattern lie off the Ewald sphere, where the direct beam never does: ten times is typical.
    """
    key = "data_augmentation_parameters.simulated_direct_beam_bool"
    key = key if old.has(key) or not old.has("simulated_direct_beam_bool") else "simulated_direct_beam_bool"
    if not old.truth(key, False):
        return Entry("spots.direct_beam", None, key)
    old.warn(
        key,
        f"the direct beam had the intensity |F(000)|² of the crystal; here it is a factor on the brightest reflection, "
        f"and {DIRECT_BEAM:g} stands for it; set spots.direct_beam",
    )
    return Entry("spots.direct_beam", DIRECT_BEAM, key)
