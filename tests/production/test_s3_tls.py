"""S3 over https with a certificate of one's own: trusted when ``AWS_CA_BUNDLE`` names it, refused otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import StoreAccessError
from difsims_core.storage.objects import ObjectStore, open_store
from tests.services import running_server

pytestmark = pytest.mark.service

SPEC = SimulationSpec.model_validate({"n_patterns": 300, "output": {"x_all": False}})


@pytest.fixture(scope="module")
def secure_server(certificate, tmp_path_factory) -> Iterator[dict[str, str]]:
    with running_server(tmp_path_factory.mktemp("secure"), certificate=certificate) as server:
        yield server.service.environment


@pytest.fixture
def store(secure_server, monkeypatch) -> ObjectStore:
    for name, value in secure_server.items():
        monkeypatch.setenv(name, value)
    assert secure_server["AWS_ENDPOINT_URL"].startswith("https://")
    return open_store("s3://difsims/tls")


def test_a_certificate_that_is_trusted(store, certificate, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
    assert verify(store, run_simulation(store, SPEC).id, resimulate=1).ok


@pytest.mark.slow
def test_a_certificate_that_is_not(store, certificate):
    with pytest.raises(StoreAccessError, match=r"certificate.*AWS_CA_BUNDLE"):
        store.write("object", b"1")


def test_nobody_is_served_without_tls(store, secure_server):
    plain = secure_server["AWS_ENDPOINT_URL"].replace("https://", "http://")
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{plain}/difsims", timeout=10)  # noqa: S310
    assert caught.value.code == 400
    assert b"HTTPS" in caught.value.read()
