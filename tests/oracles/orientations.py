"""Draw uniform orientations for tests, the same on every run."""

import numpy as np
from orix.quaternion import Rotation


def uniform_orientations(n: int, seed: int) -> Rotation:
    """Return ``n`` rotations, uniform in SO(3): normalised four-dimensional Gaussian vectors."""
    quaternions = np.random.default_rng(seed).normal(size=(n, 4))
    return Rotation(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True))
