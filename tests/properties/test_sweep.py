"""A sweep is the product of its axes, whatever they are."""

from itertools import product
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from difsims_core.config.documents import make_spec
from difsims_core.config.sweep import make_sweep

VALUES = {
    "seed": st.integers(0, 2**62),
    "n_patterns": st.integers(1, 10**6),
    "postprocessing.sqrt": st.booleans(),
    "noise": st.sampled_from([None, {"dose": 3.0}, {"snr": {"uniform": [0.9, 1.0]}}]),
    "spots.sigma_px": st.one_of(st.floats(0.5, 40.0), st.just({"choice": [1.0, 2.0]})),
    "background": st.sampled_from([None, {"amplitude": 1.0}]),
}


@st.composite
def axes(draw):
    keys = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=4))
    return {key: draw(st.lists(VALUES[key], min_size=1, max_size=3, unique_by=repr)) for key in keys}


@given(axes())
def test_every_combination_once_in_order(wanted):
    sweep = make_sweep({"n_patterns": 12, "seed": 1}, wanted)
    assert len(sweep.points) == prod(len(values) for values in wanted.values())
    assert [axis.name for axis in sweep.axes] == list(wanted)
    assert len({point.label for point in sweep.points}) == len(sweep.points)
    for point, values in zip(sweep.points, product(*wanted.values()), strict=True):
        plain = {"n_patterns": 12, "seed": 1}
        for key, value in zip(wanted, values, strict=True):
            section, _, name = key.partition(".")
            plain[section] = plain.get(section, {}) | {name: value} if name else value
        assert point.spec == make_spec(plain)
    assert make_sweep({"n_patterns": 12, "seed": 1}, wanted) == sweep
    assert make_sweep(sweep.points[0].spec.to_document(), sweep.plain_axes) == sweep
