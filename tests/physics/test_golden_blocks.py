"""The same document gives the same numbers on any machine: 64 stored profiles of each phase, to 10⁻⁵.

See docs/physics.md §8.
"""

import numpy as np
import pytest

from difsims_core import simulate
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from tests.references.golden_blocks import PATH, N, golden_spec, phases


@pytest.fixture(scope="module")
def golden():
    with np.load(PATH, allow_pickle=False) as stored:
        return dict(stored)


def test_the_blocks_are_those_of_this_engine(golden):
    """A new version of the engine comes with new blocks, made by the script beside them."""
    assert str(golden["engine_version"]) == KinematicalEngine.version
    assert set(golden) == {"engine_version", *phases()}


@pytest.mark.parametrize("phase", phases())
def test_a_block_is_reproduced(golden, phase):
    found = simulate(golden_spec(phase)).x_px
    assert golden[phase].shape == (N, 147)
    np.testing.assert_allclose(found, golden[phase], rtol=0, atol=1e-5)
