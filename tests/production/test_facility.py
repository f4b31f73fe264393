"""Prefect on PostgreSQL behind basic auth: runs are recorded, strangers refused, a backup brings everything back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from difsims_core.config.documents import dump_spec, make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.learn.train import run_training
from difsims_core.resources import samples_folder
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import open_store
from flows.stack.services.processes import stack_processes
from tests.production.postgres import Postgres, running_postgres
from tests.production.prefect_service import PrefectService, difsims, running_prefect
from tests.stack_service import running_stack

pytestmark = [pytest.mark.postgres, pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("facility")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def prefect(postgres: Postgres, folder: Path) -> Iterator[PrefectService]:
    with running_prefect(folder / "prefect", postgres.create("prefect")) as service:
        yield service


@pytest.fixture(scope="module")
def document(folder: Path) -> str:
    path = folder / "tiny.yaml"
    path.write_text(dump_spec(make_spec({"n_patterns": 300, "seed": 9, "output": {"x_all": False}})))
    return str(path)


@pytest.fixture(scope="module")
def simulation(prefect: PrefectService, document: str, folder: Path) -> str:
    """A dataset made by somebody who knows the password."""
    done = difsims("simulate", document, "--store", str(folder / "store"), settings=known_to(prefect))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def known_to(prefect: PrefectService, **others: str) -> dict[str, str]:
    return {"PREFECT_API_URL": prefect.url, "PREFECT_API_AUTH_STRING": prefect.auth} | others


def runs_of(prefect: PrefectService) -> list[dict]:
    return prefect.ask("POST", "/flow_runs/filter", {"sort": "START_TIME_ASC"})


def test_a_run_is_recorded_in_the_database(prefect, postgres, simulation, folder):
    assert verify(open_store(folder / "store"), simulation).ok
    (run,) = runs_of(prefect)
    assert run["name"] == "simulate 300 × 3 phases seed 9"
    assert run["state_type"] == "COMPLETED"
    assert simulation in run["tags"]
    states = prefect.ask("GET", f"/flow_run_states/?flow_run_id={run['id']}")
    assert [state["type"] for state in states][-2:] == ["RUNNING", "COMPLETED"]
    assert postgres.sql("prefect", "SELECT id, state_type FROM flow_run").strip() == f"{run['id']}|COMPLETED"
    assert postgres.sql("prefect", "SELECT usesuper FROM pg_user WHERE usename = current_user").strip() == "f"


def test_strangers_are_refused_and_told_what_is_missing(prefect, document, folder):
    nothing = {"PREFECT_API_URL": prefect.url}
    wrong = known_to(prefect) | {"PREFECT_API_AUTH_STRING": "difsims:a-password-that-nobody-has"}
    command = partial(difsims, "simulate", document, "--store", str(folder / "strangers"))
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda settings: command(settings=settings), (nothing, wrong)):
            assert done.returncode == 1
            errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            assert len(errors) == 1, done.stderr
            assert "PREFECT_API_AUTH_STRING" in errors[0], errors[0]
            assert "Traceback" not in done.stderr
            assert "a-password-that-nobody-has" not in done.stderr
    assert not (folder / "strangers").exists()


def test_prediction_needs_to_read_alone(prefect, s3_service, s3_store_url, tmp_path):
    """Model and experiment on S3, the identity may read and list, the phase map goes to a folder."""
    s3, spec = open_store(s3_store_url), make_spec({"n_patterns": 600, "output": {"x_all": False}})
    model = run_training(s3, [run_simulation(s3, spec).id], TrainingSpec(epochs=1)).bundle
    scan = s3.url(layout.experiment_profiles("scan"))
    s3.upload(next(samples_folder().glob("*_radial_crop.npz")), layout.experiment_profiles("scan"))
    before = s3.list()
    settings = known_to(prefect, **s3_service.reader.environment)
    done = difsims("predict", model.url, scan, "--store", str(tmp_path), settings=settings)
    assert done.returncode == 0, done.stderr
    (found,) = done.stdout.splitlines()
    assert Path(found.removeprefix("file://")).is_relative_to(tmp_path)
    assert read_prediction(found).cnn_id == model.id
    assert s3.list() == before


def test_a_backup_brings_everything_back(prefect, postgres, simulation, folder):
    """``pg_dump``, an empty database, ``pg_restore``, another server on it: the same runs, states and artifacts."""
    before = remembered(prefect)
    postgres.client("pg_dump", "--format=custom", f"--file={folder / 'prefect.dump'}", "prefect")
    database = postgres.create("restored")
    postgres.client("pg_restore", "--no-owner", "--exit-on-error", "--dbname=restored", str(folder / "prefect.dump"))
    with running_prefect(folder / "restored", database) as restored:
        assert remembered(restored) == before
    assert before["runs"]
    assert before["artifacts"]


def remembered(prefect: PrefectService) -> dict[str, list]:
    """Return what a server knows of finished runs."""
    artifacts = prefect.ask("POST", "/artifacts/filter", {"sort": "KEY_DESC", "limit": 200})
    return {
        "runs": [(run["id"], run["name"], run["state_type"], sorted(run["tags"])) for run in runs_of(prefect)],
        "artifacts": sorted((item["id"], item["key"], str(item["data"])) for item in artifacts),
    }


def test_a_stack_on_services_that_exist_starts_a_worker_alone_and_leaves_them_running(
    prefect, s3_service, s3_store_url, tmp_path
):
    """Last: it leaves deployments with schedules behind."""
    settings = s3_service.environment | {"PREFECT_API_AUTH_STRING": prefect.auth}
    options = ("--s3", s3_store_url, "--prefect-api", prefect.url)
    with running_stack(tmp_path / "state", *options, environment=settings) as stack:
        assert set(stack.pids) == {"worker"}
        assert stack.store == s3_store_url
        written = stack.folder.environment.read_text() + stack.folder.reader_environment.read_text()
        assert prefect.auth.partition(":")[2] not in written + stack.story
        assert settings["AWS_SECRET_ACCESS_KEY"] not in written + stack.story
        spec = {"n_patterns": 600, "seed": 4, "output": {"x_all": False}}
        run = stack.wait(stack.submit("simulate/local", {"spec": spec}))
        assert run["state"]["type"] == "COMPLETED", stack.logs_of(run["id"])
        (dataset,) = [tag for tag in run["tags"] if tag.startswith("sim-")]
        assert verify(open_store(s3_store_url), dataset).ok
        assert stack.interrupt() == 0, stack.story
        assert stack_processes(stack.id) == []
        assert stack.api.problem() is None, "the server belongs to somebody else"
        assert open_store(s3_store_url).folders()
