"""All kinds of attacks in numbers that fit a time, by a few processes, and the figures of what came of them."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from math import ceil
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from difsims_core import __version__
from tests.attacks.kinds import Kind
from tests.attacks.worker import Tally, run_cases

_MOST_SHOWN = 5  # broken cases of a kind
_BEGINNING_SECONDS = 10  # of the process of a kind
_RULE_OF_THREE = 3.0  # no failure in n cases: below 3/n at 95 %, for exp(-3) = 5 %


@dataclass(frozen=True)
class Job:
    """Cases of one kind that one process runs."""

    kind: Kind
    first: int
    stop: int


def jobs_of(kinds: Sequence[Kind], hours: float, workers: int) -> tuple[list[Job], float]:
    """Return what to run, in the order in which to run it, and which share of a whole night that is."""
    seconds = sum(kind.night * kind.seconds for kind in kinds)
    beginnings = len(kinds) * _BEGINNING_SECONDS
    share = min(1.0, max(hours * 3600 * workers - beginnings, 0.1 * beginnings) / seconds)
    jobs = []
    for kind in kinds:
        cases = max(1, ceil(kind.night * share))
        pieces = min(cases, workers if kind.night * kind.seconds * share > 60 else 1)
        edges = [cases * number // pieces for number in range(pieces + 1)]
        jobs += [Job(kind, *edge) for edge in pairwise(edges)]
    return jobs, share


def run_campaign(
    kinds: Sequence[Kind], seed: int, hours: float, workers: int, folder: Path, saved: Path
) -> tuple[dict[str, Tally], float]:
    """Run a campaign; return what came of each kind, and the share of a night that was meant to be run."""
    jobs, share = jobs_of(kinds, hours, workers)
    until = time.monotonic() + hours * 3600
    tallies = {kind.name: Tally(kind.name, seed) for kind in kinds}

    places: SimpleQueue[Path] = SimpleQueue()  # a store takes long to make: every attack leaves it as it was
    for number in range(workers):
        places.put(folder / f"{number}")
        (folder / f"{number}").mkdir(parents=True)

    def one(job: Job) -> Tally:
        place = places.get()
        try:
            return run_cases(job.kind, seed, range(job.first, job.stop), place, saved=saved, until=until)
        finally:
            places.put(place)

    with ThreadPoolExecutor(workers) as pool:
        for tally in pool.map(one, jobs):
            tallies[tally.kind].add(tally)
    return tallies, share


def figure(tally: Tally) -> str:
    """Return how many promises were broken, and below which rate that speaks for when none was."""
    if not tally.cases:
        return "not begun"
    if not tally.failures:
        return f"0 of {tally.cases:,}: below {min(1.0, _RULE_OF_THREE / tally.cases):.1e} at 95 %"
    return f"{len(tally.failures)} of {tally.cases:,} BROKEN"


def versions() -> dict[str, str]:
    """Return what was attacked, and with what."""
    names = ("numpy", "zarr", "tensorflow", "keras", "prefect", "pydantic", "gemmi")
    return {"difsims": __version__, "python": platform.python_version()} | {
        name: metadata.version(name) for name in names
    }


def document(tallies: dict[str, Tally], kinds: Sequence[Kind], seed: int, share: float) -> dict[str, Any]:
    """Return all figures as plain JSON values."""
    rows = []
    for kind in kinds:
        tally = tallies[kind.name]
        rows.append(
            {
                "kind": kind.name,
                "cases": tally.cases,
                "of_a_night": kind.night,
                "broken": len(tally.failures),
                "below_at_95_percent": None if tally.failures or not tally.cases else _RULE_OF_THREE / tally.cases,
                "outcomes": dict(tally.outcomes),
                "seconds": round(tally.seconds, 1),
                "failures": [{"case": number, "broken": what} for number, what in tally.failures[:100]],
            }
        )
    return {"seed": seed, "versions": versions(), "share_of_a_night": share, "kinds": rows}


def text(tallies: dict[str, Tally], kinds: Sequence[Kind], seed: int, share: float) -> str:
    """Return all figures as lines."""
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [f"seed {seed} · {told}", f"planned: {share:.1%} of a night"]
    for kind in kinds:
        tally = tallies[kind.name]
        outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.outcomes.items()))
        done = tally.cases / kind.night
        lines.append(f"{kind.name:24} {figure(tally):44} {done:7.2%} of a night, {tally.seconds:7.0f} s ({outcomes})")
        lines += [f"    case {number}: {ascii(what)[1:-1]:.200}" for number, what in tally.failures[:_MOST_SHOWN]]
    broken, cases = (sum(n) for n in zip(*((len(t.failures), t.cases) for t in tallies.values()), strict=True))
    lines.append(f"{'all':24} {broken} of {cases:,} broken")
    return "\n".join(lines)
