"""Electron scattering factors of free atoms, from the tables that diffsims has (docs/physics.md §3).

Its two files of tables are read by themselves: they need nothing, and the package around them loads orix, dask and
pandas, which takes longer than a small simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

Coefficients = tuple[tuple[float, float], ...]

_TABLES = {
    "lobato": ("lobato_scattering_params.py", "ATOMIC_SCATTERING_PARAMS_LOBATO"),
    "xtables": ("atomic_scattering_params.py", "ATOMIC_SCATTERING_PARAMS"),
}


@cache
def coefficients_by_element(parametrisation: str) -> Mapping[str, Coefficients]:
    """Return the five pairs (a, b) of each element.

    Parameters
    ----------
    parametrisation
        ``lobato`` (Lobato & Van Dyck 2014) or ``xtables`` (International Tables C, 4.3.2.3).
    """
    file, table = _TABLES[parametrisation]
    package = find_spec("diffsims")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("diffsims is not installed", name="diffsims")
    spec = spec_from_file_location(f"diffsims_{parametrisation}", Path(package.origin).parent / "utils" / file)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - narrows the types: it is a Python file
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, table)


def scattering_factors(squared: np.ndarray, coefficients: np.ndarray, parametrisation: str) -> np.ndarray:
    """Return (m, n) scattering factors.

    Parameters
    ----------
    squared
        (m,) |g|², Å⁻².
    coefficients
        (n, 5, 2) pairs (a, b) of each atom.
    parametrisation
        What they are pairs of: ``lobato``, Σ a (2 + b g²) / (1 + b g²)², or ``xtables``, Σ a exp(−b g² / 4).
    """
    a, b = coefficients[..., 0], coefficients[..., 1]
    product = squared[:, None, None] * b
    # in the order of diffsims, to the last bit
    shape = (2 + product) * (1 / np.square(1 + product)) if parametrisation == "lobato" else np.exp(-0.25 * product)
    return np.sum(a * shape, axis=-1)
