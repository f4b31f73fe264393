"""The side of pyxem of `tests.benchmarks.matching`: its CPU template matching on given images and templates.

    python pyxem_matching_side.py FOLDER

FOLDER holds ``matching.npz``: polar images (n, n_q, n_φ), cells (m, c) and amplitudes (m, c) of templates. Prints the
best template of each image, and the time of processors, without that of the compilation.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from pyxem.utils import indexation_utils as indexing


def main() -> None:
    """Match all images with all templates."""
    given = np.load(Path(sys.argv[1]) / "matching.npz")
    images = given["images"].astype(np.float32)
    n_azimuths = images.shape[2]
    radius, azimuth = np.divmod(given["cells"].astype(np.int64), n_azimuths)
    amplitude = given["amplitude"].astype(np.float32)

    def best(image: np.ndarray, chosen: slice) -> int:
        turned = np.ascontiguousarray(np.pad(image.T, ((0, 0), (1, 0))))  # azimuth first; a template ends at radius 0
        found = indexing._match_polar_to_polar_library_cpu(
            turned, radius[chosen] + 1, azimuth[chosen], amplitude[chosen]
        )
        return int(np.maximum(found[1], found[3]).argmax())

    best(images[0], slice(0, 64))  # compiles
    start = time.process_time()
    found = [best(image, slice(None)) for image in images]
    print(json.dumps({"best": found, "processors": time.process_time() - start}))


if __name__ == "__main__":
    main()
