"""What abTEM takes for a pattern; runs in an environment of its own (`bloch`), which has no difsims.

    python abtem_side.py CRYSTAL.cif EDGE_ANGSTROM THICKNESS_ANGSTROM

Answers each line of its input with the seconds of a processor that a plane wave takes through a box of this edge: its
potential, multislice, diffraction pattern. Frozen phonons, which a thick crystal would need several of, are left out.
"""

import sys
import time

import abtem
import numpy as np
from ase.io import read

SAMPLING_ANGSTROM, SLICE_ANGSTROM, ENERGY_EV = 0.1, 1.0, 200e3


def main() -> None:
    """Answer lines until there are no more."""
    path, edge, thickness = sys.argv[1], *map(float, sys.argv[2:])
    cell = abtem.orthogonalize_cell(read(path))
    box = cell * tuple(int(n) for n in np.rint(np.array([edge, edge, thickness]) / cell.cell.lengths()))
    for _ in sys.stdin:
        begun = time.process_time()
        potential = abtem.Potential(box, sampling=SAMPLING_ANGSTROM, slice_thickness=SLICE_ANGSTROM)
        wave = abtem.PlaneWave(energy=ENERGY_EV).multislice(potential)
        wave.diffraction_patterns(max_angle="valid").compute(progress_bar=False)
        print(time.process_time() - begun, len(box), *box.cell.lengths(), flush=True)


if __name__ == "__main__":
    main()
