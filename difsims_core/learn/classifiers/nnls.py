"""Non-negative least squares of profiles: which phases are in the beam, and in what parts of the volume."""

from __future__ import annotations

import numpy as np

from difsims_core.config.classifiers.matching import NnlsSpec
from difsims_core.learn.classifiers.base import Answer
from difsims_core.learn.classifiers.profile_matching import ProfileClassifier
from difsims_core.learn.matching.calibrate import reliability
from difsims_core.learn.matching.profiles import Mixtures, mixtures


class NonNegativeLeastSquares(ProfileClassifier[NnlsSpec]):
    """A profile as a sum of one template of each phase, with parts that are not negative, and of what is smooth."""

    training = NnlsSpec

    def scores(self, patterns: np.ndarray) -> np.ndarray:
        """Return (n, k) float32: how much of each phase's template is in each profile."""
        return self.mixtures(patterns).part

    def mixtures(self, patterns: np.ndarray) -> Mixtures:
        """Return what profiles (n, n_q) are made of."""
        parts = self.in_runs(patterns, lambda sharp: mixtures(sharp, self.templates))
        return Mixtures(np.concatenate([p.part for p in parts]), np.concatenate([p.volume for p in parts]))

    def answer(self, patterns: np.ndarray) -> Answer:
        """Return probabilities, the parts of the volume (NaN where nothing fits), and the reliability."""
        found = self.mixtures(patterns)
        total = found.volume.sum(axis=1, keepdims=True)
        fractions = np.divide(found.volume, total, out=np.full_like(found.volume, np.nan), where=total > 0)
        return Answer(
            self.calibration.probabilities(found.part),
            fractions=fractions.astype(np.float32),
            reliability=reliability(found.part),
        )
