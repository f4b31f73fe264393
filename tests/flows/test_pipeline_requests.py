"""In a pipeline each npz is read twice at most: once to predict, once to evaluate; all else is handed on.

The scans of a store are listed twice when all of them are mapped.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.resources import samples_folder
from difsims_core.storage.npz.contracts import read_profiles, read_truth, write_profiles
from flows.commands.predict import predict
from flows.pipeline import pipeline
from tests.counting_store import COUNTING

ROOT = "counted://lab/difsims"
ROWS, COLUMNS = slice(10, 13), slice(20, 24)


def put_scan(tmp_path: Path, name: str) -> None:
    """Put a corner of a sample scan and its truth into the store."""
    profiles = read_profiles(samples_folder() / f"{name}_radial_crop.npz")
    write_profiles(tmp_path / f"{name}_radial_crop.npz", profiles.x, profiles.y[ROWS, COLUMNS])
    scan = (tmp_path / f"{name}_radial_crop.npz").read_bytes()
    COUNTING.write(f"lab/difsims/experiments/profiles/{name}_radial_crop.npz", scan)
    truth, buffer = read_truth(samples_folder() / "truth" / f"{name}_truth.npz"), io.BytesIO()
    np.savez(buffer, label=truth.label[ROWS, COLUMNS], phases=np.array(truth.phases))
    COUNTING.write(f"lab/difsims/truth/{name}_truth.npz", buffer.getvalue())


def test_each_npz_is_read_twice_at_most_and_scans_are_listed_twice(tmp_path: Path) -> None:
    for name in ("roi_1", "roi_2"):
        put_scan(tmp_path, name)
    spec = make_spec(
        {
            "simulation": {"n_patterns": 600, "seed": 5, "output": {"x_all": False}},
            "training": {"epochs": 1},
            "experiments": [f"{ROOT}/experiments/profiles/*.npz"],
            "truth_folder": f"{ROOT}/truth",
        },
        PipelineSpec,
    )
    for again in (False, True):
        COUNTING.requests.clear()
        COUNTING.n_bytes.clear()
        made = pipeline(spec, ROOT)
        assert [scores.reused for scores in made.scores] == [again, again]
        npz = sorted(path for path in COUNTING.objects if path.endswith(".npz") and "/models/" not in path)
        assert len(npz) == 6, "two scans, two truth maps, two predictions"
        for path in npz:
            assert 1 <= COUNTING.requests[path] <= 2, path
            assert COUNTING.n_bytes[path] <= 2 * len(COUNTING.objects[path]), path
        assert COUNTING.exists(made.report.removeprefix("counted://"))
    COUNTING.listings.clear()
    assert len(predict(made.model, store=ROOT)) == 2
    scans = COUNTING.listings["lab/difsims/experiments/profiles"]
    assert scans == 2, "before the maps, and afterwards, for what has changed meanwhile"
