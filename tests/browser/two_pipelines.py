"""Run one small pipeline into each store that is named; the last line is a JSON list of what they returned.

A process of its own: Prefect reads its environment when it is imported, and TensorFlow is loaded once for both.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from flows.settings import quieten_prefect

quieten_prefect()

from difsims_core.config.documents import make_spec  # noqa: E402 - Prefect reads its environment when imported
from difsims_core.config.pipeline import PipelineSpec  # noqa: E402
from difsims_core.resources import samples_folder  # noqa: E402
from flows.pipeline import pipeline  # noqa: E402


def main(stores: list[str]) -> None:
    """Go the whole way once a store, on two of the sample scans."""
    spec = make_spec(
        {
            "simulation": {"n_patterns": 900, "seed": 8, "output": {"x_all": False}},
            "training": {"epochs": 1},
            "experiments": [str(samples_folder() / f"roi_{n}_radial_crop.npz") for n in (1, 2)],
            "truth_folder": str(samples_folder() / "truth"),
        },
        PipelineSpec,
    )
    outcomes = [asdict(pipeline(spec, store, title=f"Maps in {store.partition(':')[0]}")) for store in stores]
    sys.stdout.write(json.dumps(outcomes) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
