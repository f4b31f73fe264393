"""Imperfections of another package do what they say, at each stage, and results do not depend on how blocks are cut."""

from __future__ import annotations

import zlib
from dataclasses import fields

import numpy as np
import pytest

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.imperfections.extensions import Extensions
from difsims_core.errors import InputError, SpecError
from difsims_core.simulation.block import Block
from difsims_core.simulation.simulator import Simulator, simulate
from tests.plugins.conftest import GROUPS
from tests.plugins.packages import install

CLEAN = {
    "n_patterns": 24, "phases": ["gratia_2h", "pbi2_2h"], "noise": None, "background": None,
    "spots": {"sigma_px": 2.0, "removal": None}, "output": {"precision": "exact", "peaks": True},
}  # fmt: skip
ALL = {"drift": {}, "fade": {}, "blur": {}, "gain": {}}


def spec_of(extensions: dict | None = None, **changes) -> SimulationSpec:
    return make_spec({**CLEAN, "extensions": extensions or {}, **changes})


def unscaled(simulator: Simulator, count: int = 24) -> np.ndarray:
    """Return noise-free profiles (n, 256) before normalisation, as the engine gives them."""
    draws = simulator.draw(0, count)
    return simulator.tables.engine.profiles(draws, draws.patterns % len(simulator.class_names), simulator.spec.seed)[0]


def normalised(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(len(values), -1).astype(np.float64)
    low = flat.min(axis=1, keepdims=True)
    span = flat.max(axis=1, keepdims=True) - low
    return ((flat - low) / np.where(span > 0, span, 1)).reshape(values.shape)


def arrays_of(block: Block) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(block) if field.name not in ("start", "stop", "draws", "peaks")]
    arrays = {name: getattr(block, name) for name in names if getattr(block, name) is not None}
    return arrays | {f"draws/{name}": values for name, values in block.draws.items()}


def test_draws_are_replaced_and_added(example):
    block = simulate(spec_of({"drift": {"calibration_scale": 0.99, "drift_px": {"uniform": [1, 2]}}}))
    same = simulate(spec_of(calibration_scale=0.99))
    np.testing.assert_array_equal(block.x_px, same.x_px)
    np.testing.assert_array_equal(block.draws["calibration_scale"], same.draws["calibration_scale"])
    drift = block.draws["drift_px"]
    assert (drift.shape, drift.dtype) == ((24,), np.float32)
    assert len(np.unique(drift)) == 24
    assert (drift >= 1).all()
    assert (drift < 2).all()


def test_spots_are_dimmed_and_taken_away_in_every_route(example):
    plain = spec_of(output={**CLEAN["output"], "polar_all": True})
    spec = make_spec({**plain.to_document(), "extensions": {"fade": {"g_max_per_angstrom": 0.9, "scatter": 0}}})
    before, after = Simulator.prepare(plain), Simulator.prepare(spec)
    one, other = before.block(0, 24), after.block(0, 24)
    assert one.peaks is not None
    assert other.peaks is not None
    counts = np.diff(one.peaks.start)
    pattern = np.repeat(np.arange(24), counts)
    kept = np.hypot(*one.peaks.g.T) * one.draws["calibration_scale"][pattern] < 0.9
    assert 0.2 < kept.mean() < 0.8
    np.testing.assert_array_equal(one.peaks.hkl[kept], other.peaks.hkl[other.peaks.intensity > 0])
    np.testing.assert_allclose(one.peaks.intensity[kept], other.peaks.intensity[other.peaks.intensity > 0], rtol=1e-6)
    profiles = unscaled(after)
    near = after.q_all < 0.8
    np.testing.assert_allclose(profiles[:, near], unscaled(before)[:, near], rtol=1e-4, atol=1e-4 * profiles.max())
    far = after.q_all > 1.0
    assert unscaled(before)[:, far].max() > 0.01 * profiles.max()
    assert profiles[:, far].max() < 1e-6 * profiles.max()
    assert other.polar_all is not None
    assert other.polar_all[:, far].max() < 1e-6
    images = after.images(0, 4)
    offset = np.arange(515) - 257
    q = np.hypot(offset[:, None], offset) * 0.00588
    assert images[:, q > 1.0].max() < 1e-6 * images.max()
    assert before.images(0, 4)[:, q > 1.0].max() > 1e-3 * images.max()


def test_every_spot_is_dimmed_by_a_number_of_its_own(example):
    spec = spec_of({"fade": {"g_max_per_angstrom": 9, "scatter": 1}})
    plain, dimmed = simulate(spec_of()).peaks, simulate(spec).peaks
    assert plain is not None
    assert dimmed is not None
    ratio = dimmed.intensity / plain.intensity
    assert (ratio > 0).all()
    assert (ratio <= 1).all()
    assert abs(ratio.mean() - 0.5) < 0.05


@pytest.mark.parametrize("order", ["physical", "historical"])
def test_what_reaches_the_detector_is_damped_in_every_route(example, order):
    if order == "historical":
        changes = {"order": order, "background": {"amplitude": 0.0}, "noise": {"intensity_spike": 0.0}}
    else:
        changes = {}
    spec = spec_of({"blur": {"b_angstrom2": 8}}, **changes, output={**CLEAN["output"], "polar_px": True, "polar": {}})
    simulator = Simulator.prepare(spec)
    block = simulator.block(0, 24)
    factor = np.exp(-2 * simulator.q_all**2)
    raw = unscaled(simulator)
    assert block.x_all is not None
    if order == "physical":
        np.testing.assert_allclose(block.x_all, normalised(raw * factor), atol=1e-5)
    assert np.abs(block.x_all - normalised(raw)).max() > 0.02
    if order == "physical":
        draws = simulator.draw(0, 24)
        polar_patterns, _ = simulator.tables.engine.polar_patterns(draws, draws.patterns % 2, slice(None), spec.seed)
        wanted = normalised((polar_patterns * factor[:, None])[:, simulator.tables.geometry.grid.crop])
        np.testing.assert_allclose(block.polar_px, wanted, atol=1e-5)
        cells = simulator.tables.cells
        reduced, _ = simulator.tables.engine.polar_cells(draws, draws.patterns % 2, cells, spec.seed)
        damped = reduced * np.exp(-8 * cells.grid.q**2 / 4)[:, None]
        np.testing.assert_allclose(block.polar, normalised(damped), atol=1e-5)
        plain = Simulator.prepare(spec_of()).images(0, 2, noise=False)
        offset = np.arange(515) - 257
        q = np.hypot(offset[:, None], offset) * 0.00588
        np.testing.assert_allclose(simulator.images(0, 2, noise=False), plain * np.exp(-2 * q**2), rtol=1e-4, atol=1e-9)


def test_readings_are_changed_after_noise_and_only_where_there_are_pixels(example):
    noise = {"dose": 1000.0, "snr": 0.999, "intensity_spike": 1.0}
    plain, spec = (spec_of(sections, noise=noise) for sections in ({}, {"gain": {"slope": 2.0}}))
    without, block = Simulator.prepare(plain).block(0, 24), Simulator.prepare(spec).block(0, 24)
    q = block.q_all
    assert without.x_all is not None
    assert block.x_all is not None
    # The least reading of a pattern is lost by the normalisation: compare where it is 0.
    rows = np.flatnonzero(unscaled(Simulator.prepare(plain)).min(axis=1) == 0)
    rows = rows[(without.x_all[rows] == 0).sum(axis=1) > 1]
    assert len(rows)
    np.testing.assert_allclose(block.x_all[rows], normalised(without.x_all[rows] * (1 + 2 * q)), atol=1e-5)
    cut = spec_of({"gain": {"slope": 2.0}}, noise=noise, cut_off={"beam_stop_radius_px": 20.0, "gap_width_px": 0.0})
    blind = Simulator.prepare(cut).block(0, 24).x_all
    assert blind is not None
    assert blind[:, q < 0.05].max() == 0


def test_blocks_cut_differently_give_the_same_bytes(example):
    spec = spec_of(
        ALL, noise={"dose": 500.0}, background={}, overlap={}, output={"peaks": True}, cut_off={},
        spots={"convergence_semi_angle_mrad": {"uniform": [0.2, 0.4]}},
    )  # fmt: skip
    whole = arrays_of(Simulator.prepare(spec).block(0, 24, threads=2))
    parts = [arrays_of(simulate(spec, *rows)) for rows in ((0, 1), (1, 14), (14, 24))]
    assert "draws/drift_px" in whole
    for name, values in whole.items():
        if not name.startswith(("q_", "azimuth")):
            np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts]), err_msg=name)
    fewer = simulate(make_spec({**spec.to_document(), "output": {"x_all": False}}))
    np.testing.assert_array_equal(fewer.x_px, whole["x_px"])


def test_a_document_names_imperfections_and_their_sections(example, tmp_path):
    (tmp_path / "d.yaml").write_text("extensions:\n  blur:\n  gain: {slope: 0.25}\n", encoding="utf-8")
    spec = load_spec(tmp_path / "d.yaml", changes=["extensions.gain.slope=0.75"])
    assert spec.extensions == {"blur": {"b_angstrom2": 2.0}, "gain": {"slope": 0.75}}
    assert make_spec(spec.to_document()) == spec
    assert SimulationSpec().extensions == {}
    properties = SimulationSpec.model_json_schema()["properties"]["extensions"]
    assert properties["additionalProperties"] == {
        "anyOf": [{"additionalProperties": True, "type": "object"}, {"type": "null"}]
    }


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"blurr": {}}, r"extensions\.blurr: .*'blurr'.*'blur'.*difsims\.imperf"),
        ({"blur": {"b_angstrom": 1}}, r"extensions\.blur: .*'b_angstrom'.*'b_angstrom2'"),
        ({"blur": {"b_angstrom2": -1}}, r"extensions\.blur\.b_angstrom2: "),
        ({"blur": 3}, r"extensions\.blur: "),
        (["blur"], "extensions: "),
    ],
)
def test_what_is_no_section_is_refused(example, sections, message):
    with pytest.raises(SpecError, match=message):
        make_spec({"extensions": sections})


@pytest.mark.parametrize("kept", ["polar_px", "polar"])
def test_a_route_that_cannot_carry_it_is_refused(example, kept):
    polar = spec_of({"gain": {}}, output={kept: True})
    with pytest.raises(InputError, match=r"'gain' of difsims_example 1\.0 .*'polar'"):
        simulate(polar)
    with pytest.raises(InputError, match=r"'gain' of difsims_example 1\.0 .*'image'"):
        Simulator.prepare(spec_of({"gain": {}})).images(0, 1)


WRONG = """
import numpy as np
from dataclasses import replace
from difsims_core.config.base import Spec
from difsims_core.diffraction.imperfections.base import *

class Drawn(DrawsImperfection):
    version, section = "1", Spec
    def draw(self, section, draws, random): return {made}

class Spotty(SpotsImperfection):
    version, section = "1", Spec
    def change_spots(self, section, spots, draws, random): return {made}

class Shown(ProfileImperfection):
    version, section = "1", Spec
    def change_signal(self, section, values, axes, draws, random): return {made}
"""


@pytest.mark.parametrize(
    ("member", "made", "message"),
    [
        ("Drawn", "1 / 0", "ZeroDivisionError"),
        ("Drawn", "{'a b': draws.patterns}", "a b"),
        ("Drawn", "{'new': np.zeros(3)}", r"\bnew\b.*float64 \(3,\).* 24 "),
        ("Drawn", "{'new': np.full(len(draws.patterns), np.nan)}", r"\bnew\b.* 24 "),
        ("Drawn", "{'sigma_px': np.full(len(draws.patterns), 2.5)}", r"sigma_px.* 2\.5"),
        ("Drawn", "{'lattice_scale': draws['lattice_scale'] + 1}", r"lattice_scale.* 0\.97 .* 1\.03"),
        ("Drawn", "{'calibration_scale': draws.patterns * 0.0}", r"calibration_scale.* 0\.98 .* 1\.02.* 0"),
        ("Drawn", "{'orientation': draws['orientation'] * 2}", "orientation"),
        ("Drawn", "{'orientation': draws['orientation'][:, :3]}", r"orientation .*float32 \(24, 3\)"),
        ("Spotty", "spots.intensity", "ndarray"),
        ("Spotty", "replace(spots, intensity=-spots.intensity)", "not finite, or negative"),
        ("Spotty", "replace(spots, intensity=spots.intensity[1:])", r" \d+ .* \d+ "),
        ("Shown", "values[:, 1:]", r"float32 \(24, 255\).*\(24, 256\) .*'profile'"),
        ("Shown", "values * np.nan", "not finite"),
    ],
)  # fmt: skip
def test_a_hook_that_gives_something_else_is_named(site, member, made, message):
    places = {"difsims.imperfections": {"wrong": f"wrong_one:{member}"}}
    install(site, "wrong_one", WRONG.replace("{made}", made), places)
    with pytest.raises(InputError, match=rf"(?s)imperfection 'wrong' of wrong_one 1\.0 .*{message}"):
        simulate(spec_of({"wrong": {}}, seed=zlib.crc32(made.encode())))  # simulators are remembered by document


def test_each_stage_is_one_of_the_four(example):
    stages = {member.name: member.imperfection.stage for member in Extensions.of(spec_of(ALL)).members}
    assert stages == {"drift": "draws", "fade": "spots", "blur": "profile", "gain": "counts"}
    assert set(stages) == set(GROUPS["difsims.imperfections"])
