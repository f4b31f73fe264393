"""How well stored spots of multislice agree with the dynamical engine, and how much of what is scattered they hold.

    python -m tests.benchmarks.multislice_spots FILE [--grains 12]

FILE is what ``python -m tests.development.multislice`` wrote. A line for each grain, one number for each thickness, as
`tests.development.agreement` says.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tests.development.agreement import Agreement
from tests.development.spots import read_spots


def main() -> None:
    """Print a line for each grain, and the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--grains", type=int, default=12)
    asked = parser.parse_args()
    stored = read_spots(asked.file)
    header = json.loads(str(stored.header))
    every = []
    for number in range(min(asked.grains, len(stored.phase))):
        grain = stored.grain(number)
        phase = header["phases"][grain.phase]
        smeared = "smeared" in header["potential"]
        found = [Agreement.of(grain, level, phase, smeared=smeared) for level in range(len(grain.thickness))]
        every += found
        r, correlation, held = (
            " ".join(f"{getattr(one, name):.3f}" for one in found) for name in ("r", "correlation", "held")
        )
        print(f"{number:3} {phase[:9]} u {grain.u:.3f}: R {r}; correlation {correlation}; in spots {held}")
    print(
        f"farthest {max(one.farthest for one in every):.1e} Å⁻¹; R {np.median([one.r for one in every]):.3f} (median), "
        f"{max(one.r for one in every):.3f} (worst); correlation {np.median([one.correlation for one in every]):.4f}, "
        f"{min(one.correlation for one in every):.4f}; in spots {np.median([one.held for one in every]):.3f}, "
        f"{min(one.held for one in every):.3f}"
    )


if __name__ == "__main__":
    main()
