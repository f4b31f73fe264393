"""The real simulator into a real store and back."""

import numpy as np
import pytest

from difsims_core import SimulationSpec, open_simulation, simulate
from difsims_core.dataset.export.npz import NpzExporter
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "background_class": True,
            "output": {"x_all": False},
            "postprocessing": {"sqrt": True, "q_crop": {"n_points": 60}},
        },
    ],
)
def test_a_dataset_is_its_simulation(store, tmp_path, changes):
    spec, seen = SimulationSpec(n_patterns=1500, seed=5, **changes), []
    simulation_id = run_simulation(store, spec, progress=lambda _group, done: seen.append(done)).id
    assert seen[0] == 0
    assert seen[-1] == 1500
    assert run_simulation(store, spec).id == simulation_id
    sim, expected = open_simulation(simulation_id, store), simulate(spec)
    for name in ("x_px", "x_all", "x_q"):
        values = getattr(expected, name)
        assert (f"1d/{name}" in sim) == (values is not None)
        if values is not None:
            assert sim[f"1d/{name}"][:].tobytes() == values.tobytes()
    for name, values in expected.draws.items():
        assert sim[f"draws/{name}"][:].tobytes() == values.tobytes()
    assert sim.phases == spec.class_names
    assert sim.spec == spec
    report = verify(store, simulation_id, resimulate=1)
    assert report.ok, report.failures
    assert report.resimulated == (0,)
    (path,) = NpzExporter().export(open_simulation(simulation_id, store), tmp_path / "out.npz")
    with np.load(path, allow_pickle=False) as file:
        assert file["1d"]["x_px"].tobytes() == expected.x_px.tobytes()
