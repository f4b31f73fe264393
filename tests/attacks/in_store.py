"""An attack on one object of a whole store, which is put back after each case."""

from __future__ import annotations

from pathlib import Path

from difsims_core.storage import layout
from tests.attacks.kinds import Attack
from tests.attacks.oracles import Original, private_temporary_folder
from tests.attacks.whole_store import SCANS, WholeStore, make_in


class StoreAttack(Attack):
    """The cases of one kind of object, by its name in `objects`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name, self._cases = name, 0
        super().__init__(folder)

    def prepare(self) -> None:
        self._whole = make_in(self.folder)
        private_temporary_folder(self.folder / "tmp")
        self._store, self._key = self._whole.store, objects(self._whole)[self._name]
        self._data, self._original = self._store.read(self._key), Original(self._store)


def objects(whole: WholeStore) -> dict[str, str]:
    """Return the key of one object of each kind that a store holds."""
    dataset, model, scan = layout.simulation(whole.datasets[0]), whole.models[0], f"{SCANS[0]}_radial_crop"
    return {
        "root": f"{dataset}/zarr.json",
        "group": f"{dataset}/1d/zarr.json",
        "array": f"{dataset}/1d/x_px/zarr.json",
        "profiles": f"{dataset}/1d/x_px/c/0/0",
        "labels": f"{dataset}/1d/y_px/c/0/0",
        "draws": f"{dataset}/draws/orientation/c/0/0",
        "axis": f"{dataset}/1d/x_px_q_axis/c/0",
        "receipt": layout.receipt(whole.datasets[0], 0),
        "completion": layout.completion(whole.datasets[0]),
        "dataset-index": layout.simulation_index(whole.fingerprints[0]),
        "bundle": layout.model_record(model),
        "weights": f"{layout.model(model)}/weights.npz",
        "model-index": layout.model_index(whole.training_fingerprints[0]),
        "registry": layout.model_registry(),
        "intake": layout.INTAKE,
        "prediction": layout.prediction(model, scan),
        "evaluation": layout.evaluation(model, scan),
    }
