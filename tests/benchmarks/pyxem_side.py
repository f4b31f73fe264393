"""What pyxem takes for the same frames; runs in an environment of its own (`pyxem_comparison`), which has no difsims.

    python pyxem_side.py FRAMES.npy CALIBRATION Q_LOW Q_HIGH N_Q

Answers each line of its input, the name of a method of centring, with a line of JSON: what centring, shifting,
integrating to profiles and to polar patterns of all frames takes, [seconds, processor seconds] each, the centres, and
the seconds that pyxem took before to build what is the same for all frames, for profiles and for polar patterns.
"""

import json
import sys
import time

import hyperspy.api as hs
import numpy as np
from pyxem.signals import ElectronDiffraction2D

CELLS = 74, 72
BOX = {"half_square_width": 16}
METHODS = {
    "center_of_mass": {"threshold": 5, **BOX},
    "interpolate": {"sigma": 3, "upsample_factor": 10, "kind": 3, **BOX},
    "cross_correlate": {"radius_start": 2, "radius_finish": 5, **BOX},
}


def now() -> np.ndarray:
    """Return seconds, and those of processors."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    hs.preferences.General.show_progressbar = False
    path, calibration, low, high, n_q = sys.argv[1], *map(float, sys.argv[2:])
    frames = np.load(path)
    calibrated = ElectronDiffraction2D(frames)
    calibrated.calibration(scale=calibration, units="A^-1", center=None)
    # In each call, as pyxem stands: to its favour, once here.
    start = now()
    rings = calibrated.calibration.get_slices1d(int(n_q), radial_range=(low, high))
    between = now()
    cells = calibrated.calibration.get_slices2d(*CELLS, radial_range=(low, high))
    built = [(between - start)[0], (now() - between)[0]]
    for line in sys.stdin:
        method = line.strip()
        signal = ElectronDiffraction2D(frames.copy())
        start = now()
        shifts = signal.get_direct_beam_position(method=method, **METHODS[method])
        found = now()
        centred = signal.center_direct_beam(shifts=shifts, inplace=False)
        shifted = now()
        centred.calibration(scale=calibration, units="A^-1", center=None)
        centred.calibration.get_slices1d = lambda *_, **__: rings
        centred.calibration.get_slices2d = lambda *_, **__: cells
        before = now()
        centred.get_azimuthal_integral1d(int(n_q), radial_range=(low, high))
        integrated = now()
        centred.get_azimuthal_integral2d(*CELLS, radial_range=(low, high))
        steps = [found - start, shifted - found, integrated - before, now() - integrated]
        middle = (np.array(frames.shape[:1:-1]) - 1) / 2
        centres = (middle - shifts.data)[..., ::-1].reshape(-1, 2)
        print(json.dumps({"steps": np.array(steps).tolist(), "centres": centres.tolist(), "built": built}), flush=True)


if __name__ == "__main__":
    main()
