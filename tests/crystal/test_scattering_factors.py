"""Scattering factors are those of diffsims to the last bit, read without loading it."""

import numpy as np
import pytest
from diffsims.utils.sim_utils import get_atomic_scattering_factors, get_scattering_params_dict

from difsims_core.crystal.scattering_factors import coefficients_by_element, scattering_factors


@pytest.mark.parametrize("parametrisation", ["lobato", "xtables"])
def test_tables_and_factors_are_those_of_diffsims(parametrisation):
    table = coefficients_by_element(parametrisation)
    assert table == get_scattering_params_dict(parametrisation)
    coefficients = np.array([table[element] for element in ("H", "C", "I", "Pb", "U")])
    squared = np.linspace(0, 9, 500)
    np.testing.assert_array_equal(
        scattering_factors(squared, coefficients, parametrisation),
        get_atomic_scattering_factors(squared, coefficients, parametrisation),
        strict=True,
    )
