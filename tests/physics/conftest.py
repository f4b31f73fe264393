"""Shared values of the physics tests."""

import numpy as np
import pytest

from tests.oracles import image_route


@pytest.fixture(scope="session")
def crop() -> slice:
    """Bins 13 to 159: the classifier's input, 0.11 to 1.32 Å⁻¹."""
    return slice(13, 160)


@pytest.fixture(scope="session")
def counts(crop) -> np.ndarray:
    """Pixels per annulus of the reference detector, cropped, (147,)."""
    return image_route.pixel_counts(image_route.DETECTOR_SIZE_PX)[crop]
