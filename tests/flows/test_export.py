"""The flow that exports a dataset into its store."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.dataset.open import open_simulation
from difsims_core.storage import layout
from difsims_core.storage.objects import local_copy, open_store
from flows.export import export
from flows.simulate import simulate
from tests.flows.prefect_records import artifacts_of, latest_run


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_a_dataset_is_exported_once_into_its_store_with_a_link(tiny, store, ending):
    simulation = simulate(tiny, store)
    objects = open_store(store)
    (url,) = export(simulation[:14], ending, store)
    assert url == objects.url(layout.export(simulation, f".{ending}"))
    found = artifacts_of(latest_run("export"))
    assert any(url.rpartition("/")[2] in str(artifact.data) for artifact in found.values())

    assert export(simulation, ending, store) == [url]
    assert latest_run("export").state_name == "Reused"
    if ending == "npz":
        with local_copy(url) as path, np.load(path) as file:
            expected = open_simulation(simulation, objects)["draws/sigma_px"][:]
            np.testing.assert_array_equal(file["draws"]["sigma_px"], expected)
