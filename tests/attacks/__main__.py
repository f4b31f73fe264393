"""``python -m tests.attacks --hours H``: attack everything that is read, for a time, and print the figures."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.attacks.campaign import document, run_campaign, text
from tests.attacks.kinds import all_kinds
from tests.attacks.worker import run_cases


def main() -> int:
    """Run a campaign, or one case again; return 1 when a promise was broken."""
    kinds = all_kinds()
    groups = list(dict.fromkeys(kind.group for kind in kinds.values()))
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="how long; the numbers of a night are scaled to it")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other cases")
    parser.add_argument("--only", default=",".join(groups), help=f"groups or kinds, of {', '.join(groups)}")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--save", type=Path, help="folder for the cases that broke a promise")
    parser.add_argument("--case", type=int, help="run this case alone, of the one kind that --only names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    wanted = options.only.split(",")
    unknown = [name for name in wanted if name not in (*kinds, *groups)]
    if unknown:
        parser.error(f"--only: expected some of {', '.join((*groups, *kinds))}, found {', '.join(unknown)}")
    chosen = [kind for kind in kinds.values() if kind.name in wanted or kind.group in wanted]
    saved = options.save or Path(tempfile.mkdtemp(prefix="difsims-attacks-"))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore", "DIFSIMS_STORE": os.devnull}
    os.environ.update(quiet)
    with tempfile.TemporaryDirectory(prefix="difsims-attacked-") as folder:
        if options.case is not None:
            tally = run_cases(chosen[0], options.seed, [options.case], Path(folder), saved=saved)
            tallies, share, chosen = {chosen[0].name: tally}, 0.0, chosen[:1]
        else:
            tallies, share = run_campaign(chosen, options.seed, options.hours, options.workers, Path(folder), saved)
    found = (tallies, chosen, options.seed, share)
    sys.stdout.write(f"{json.dumps(document(*found), indent=1) if options.json else text(*found)}\n")
    broken = any(tally.failures for tally in tallies.values())
    if broken and not options.json:
        sys.stdout.write(f"broken cases are kept in {saved}; --only KIND --case NUMBER --seed SEED runs one again\n")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
