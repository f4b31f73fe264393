"""How long Prefect's server on SQLite lets a client wait under load: as it is, and as `difsims up` starts it.

    python -m tests.benchmarks.standstill [--seconds 120] [--clients 12]

Clients create runs, change their states, send logs and events, and now and then go away before they are answered. Once
in a while another asks for the server's health; the longest answers are printed, with how much work was done.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx

from flows.stack.services.programs import PREFECT_SERVER
from tests.browser.prefect_site import running_prefect

_AS_IT_IS = (sys.executable, "-m", "prefect", "server", "start")
_LONG = 5.0  # seconds for an answer that does nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="of load on each server")
    parser.add_argument("--clients", type=int, default=12, help="that are at work at once")
    chosen = parser.parse_args()
    for name, server in (("as it is", _AS_IT_IS), ("as difsims up starts it", PREFECT_SERVER)):
        with (
            tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder,
            running_prefect(Path(folder) / "prefect", server) as address,
        ):
            waits, answers = under_load(f"{address}/api", chosen.seconds, chosen.clients)
        long = sum(wait > _LONG for wait in waits)
        print(
            f"{name}: longest answer {max(waits):.1f} s, {long} of {len(waits)} above {_LONG:.0f} s; "
            f"requests by status: {dict(sorted(answers.items()))}",
            flush=True,
        )


def under_load(api: str, seconds: float, clients: int) -> tuple[list[float], Counter[int]]:
    """Return how long the server took to say that it is well, each time, and how it answered the others."""
    over, answers = threading.Event(), Counter[int]()
    threads = [threading.Thread(target=work, args=(api, number, over, answers)) for number in range(clients)]
    for thread in threads:
        thread.start()
    waits, end = [], time.perf_counter() + seconds
    with httpx.Client(timeout=600) as client:
        while time.perf_counter() < end:
            began = time.perf_counter()
            client.get(f"{api}/health")
            waits.append(time.perf_counter() - began)
            time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join()
    return waits, answers


def work(api: str, number: int, over: threading.Event, answers: Counter[int]) -> None:
    """Do what flow runs do, until it is over; a server that is too busy is asked again."""
    chance = random.Random(number)  # noqa: S311
    with httpx.Client(base_url=api, timeout=600) as client:
        flow = None
        while not over.is_set():
            try:
                flow = flow or _send(client, answers, "/flows/", {"name": f"load {number}"})
                run = _send(client, answers, "/flow_runs/", {"flow_id": flow, "state": {"type": "PENDING"}})
                _live(client, answers, run, chance)
            except httpx.HTTPError:
                time.sleep(0.2)


def _live(client: httpx.Client, answers: Counter[int], run: str, chance: random.Random) -> None:
    state = f"/flow_runs/{run}/set_state"
    _send(client, answers, state, {"state": {"type": "RUNNING"}})
    now, resource = datetime.now(UTC).isoformat(), {"prefect.resource.id": f"prefect.flow-run.{run}"}
    line = {"name": "load", "level": 20, "message": "x" * 200, "timestamp": now, "flow_run_id": run}
    for step in range(3):
        _send(client, answers, "/logs/", [line] * 20)
        beats = [
            {"id": str(uuid4()), "occurred": now, "event": "prefect.flow-run.heartbeat", "resource": resource}
            for _ in range(10)
        ]
        _send(client, answers, "/events", beats)
        if chance.random() < 0.5:
            try:
                change = {"state": {"type": "RUNNING", "name": str(step)}, "force": True}
                client.post(state, json=change, timeout=chance.uniform(0.005, 0.1))
            except httpx.TimeoutException:
                answers[0] += 1  # gone before the answer
    _send(client, answers, state, {"state": {"type": "COMPLETED"}})


def _send(client: httpx.Client, answers: Counter[int], path: str, body: object) -> str:
    """Return the id in the answer, empty when there is none."""
    answer = client.post(path, json=body)
    answers[answer.status_code] += 1
    answer.raise_for_status()
    found = answer.json() if answer.content else None
    return str(found.get("id", "")) if isinstance(found, dict) else ""


if __name__ == "__main__":
    main()
