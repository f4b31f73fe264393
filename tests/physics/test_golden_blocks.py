"""The same document gives the same numbers on any machine: stored profiles of each phase and engine, to 10⁻⁵.

See docs/physics.md §8.
"""

from functools import cache

import numpy as np
import pytest

from difsims_core import simulate
from difsims_core.diffraction.engines.versions import OWN_VERSIONS
from tests.references.golden_blocks import N, golden_spec, path_of, phases


@cache
def golden(engine: str) -> dict[str, np.ndarray]:
    with np.load(path_of(engine), allow_pickle=False) as stored:
        return dict(stored)


def test_every_engine_of_ours_has_blocks():
    assert set(N) == set(OWN_VERSIONS)


@pytest.mark.parametrize("engine", N)
def test_the_blocks_are_those_of_this_engine(engine):
    """A new version of an engine comes with new blocks, made by the script beside them."""
    assert str(golden(engine)["engine_version"]) == OWN_VERSIONS[engine]
    assert set(golden(engine)) == {"engine_version", *phases()}


@pytest.mark.parametrize("phase", phases())
@pytest.mark.parametrize("engine", N)
def test_a_block_is_reproduced(engine, phase):
    found = simulate(golden_spec(engine, phase)).x_px
    assert golden(engine)[phase].shape == (N[engine], 147)
    np.testing.assert_allclose(found, golden(engine)[phase], rtol=0, atol=1e-5)
