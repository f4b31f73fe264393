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
    r, theta = np.divmod(given["cells"].astype(np.int64), n_azimuths)
    intensities = given["amplitude"].astype(np.float32)

    def best(image: np.ndarray, chosen: slice) -> int:
        # images have the azimuth first there
        plain, mirrored = indexing._match_polar_to_polar_library_cpu(
            np.ascontiguousarray(image.T), r[chosen], theta[chosen], intensities[chosen], 0.0, 1.0
        )[1:3]
        return int(np.maximum(plain, mirrored).argmax())

    best(images[0], slice(0, 64))  # compiles
    start = time.process_time()
    found = [best(image, slice(None)) for image in images]
    print(json.dumps({"best": found, "processors": time.process_time() - start}))


if __name__ == "__main__":
    main()
