"""The process of a flow ended by SIGKILL, again and again: every restart goes on, and the bytes are the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from difsims_core.config.documents import dump_spec, make_spec
from difsims_core.dataset import build
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import IncompleteDatasetError
from difsims_core.storage.objects import open_store
from tests.effort import either
from tests.kill.evidence import Finished, assert_same_bytes

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.kill]

ROOT = Path(__file__).resolve().parents[2]
KILLS = either(2, 8)
IN_ITS_START = either(1, 2)
SECONDS = 180


@pytest.fixture
def spec():
    size = either(200_000, 600_000)
    return make_spec({"n_patterns": size, "seed": 4, "output": {"x_all": False}, "phases": ["gratia_2h", "pb"]})


def start(document: Path, store: str, log: Path) -> subprocess.Popen[bytes]:
    from prefect.settings import PREFECT_API_URL

    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value(), "DIFSIMS_BLOCKS_PER_GROUP": "2"}
    command = [sys.executable, "-m", "flows.cli.app", "simulate", str(document), "--store", store]
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def test_every_restart_goes_on(spec, prefect_server, tmp_path):
    seed = random.randrange(2**32)  # noqa: S311
    print("moments drawn with seed", seed)  # noqa: T201 - pytest shows it when the test fails
    moments = random.Random(seed)  # noqa: S311
    document, log = tmp_path / "spec.yaml", tmp_path / "log"
    document.write_text(dump_spec(spec))
    store = open_store(tmp_path / "store")
    plan = build.begin(store, spec)
    history = [Finished.of(store, plan.id)]
    kills = 0
    while kills < KILLS:
        process = start(document, store.root, log)
        # The first are killed anywhere in their start, the others once they have written something.
        deadline = time.monotonic() + (moments.uniform(0, 8) if kills < IN_ITS_START else SECONDS)
        while time.monotonic() < deadline and process.poll() is None:
            if len(Finished.of(store, plan.id)) > len(history[-1]):
                time.sleep(moments.uniform(0, 0.7))
                break
            time.sleep(0.02)
        if process.poll() is not None:
            pytest.fail(f"after {kills} kills: {log.read_text()}")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        history.append(Finished.of(store, plan.id))
        assert len(history[-1]) < plan.n_blocks, "it was complete before it could be killed"
        with pytest.raises(IncompleteDatasetError):
            open_simulation(plan.id, store)
    process = start(document, store.root, log)
    assert process.wait(SECONDS) == 0, log.read_text()
    assert plan.id in log.read_text()
    assert f"{len(history[-1])} of {plan.n_blocks} blocks are there already" in log.read_text()

    for earlier in history:
        earlier.assert_kept_in(Finished.of(store, plan.id))
    undisturbed = open_store(tmp_path / "undisturbed")
    assert_same_bytes(store, plan.id, undisturbed, run_simulation(undisturbed, spec).id)
