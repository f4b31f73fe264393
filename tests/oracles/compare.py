"""Measures of agreement between two profiles."""

import numpy as np


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine similarity; 1 when both are zero."""
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.dot(a, b) / norms)
