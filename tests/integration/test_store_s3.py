"""A real S3 server: credentials, buckets, secrets, racing processes."""

import json
import logging
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from difsims_core.dataset.build import begin
from difsims_core.errors import MissingObjectError, StoreAccessError, StoreError
from difsims_core.storage.npz import read_profiles
from difsims_core.storage.objects import expand_urls, open_store
from tests.doubles import fake
from tests.services import free_ports

pytestmark = pytest.mark.service

OPERATIONS = {
    "read": lambda store: store.read("k"),
    "write": lambda store: store.write("k", b""),
    "create": lambda store: store.create("k", b""),
    "exists": lambda store: store.exists("k"),
    "list": lambda store: store.list("k"),
    "delete": lambda store: store.delete("k"),
    "delete_tree": lambda store: store.delete_tree("k"),
    "glob": lambda store: expand_urls(f"{store.root}/*.npz"),
    "profiles": lambda store: read_profiles(f"{store.root}/a_radial_crop.npz"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_wrong_credentials_are_refused_though_right_ones_were_used_before(s3_store_url, monkeypatch, operation, name):
    store = open_store(s3_store_url)
    store.write("k", b"1")
    monkeypatch.setenv(name, "a-wrong-one-nobody-has")
    with pytest.raises(StoreAccessError, match=r"refuses these credentials.*AWS_SECRET_ACCESS_KEY") as caught:
        OPERATIONS[operation](store)
    assert "a-wrong-one-nobody-has" not in str(caught.value)


def test_right_credentials_work_after_wrong_ones(s3_store_url, s3_service, monkeypatch):
    store = open_store(s3_store_url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreAccessError):
        store.write("k", b"1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_service.secret_key)
    store.write("k", b"1")
    assert store.read("k") == b"1"


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"delete"}))
def test_a_missing_bucket_is_named(s3_store_url, operation):
    with pytest.raises(StoreAccessError, match=r"bucket 'no-such-bucket' does not exist; create it"):
        OPERATIONS[operation](open_store("s3://no-such-bucket/prefix"))


def test_no_credentials_at_all(s3_store_url, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreAccessError, match="no credentials found"):
        open_store(s3_store_url).read("k")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_worth_another_try(s3_store_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(StoreError, match="try again") as caught:
        open_store(s3_store_url).read("k")
    assert not isinstance(caught.value, StoreAccessError | MissingObjectError)


def test_an_endpoint_that_is_none(s3_store_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:8333")
    with pytest.raises(StoreAccessError, match="AWS_ENDPOINT_URL"):
        open_store(s3_store_url).read("k")


def test_the_service_specific_endpoint_wins(s3_store_url, s3_service, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_service.endpoint)
    open_store(s3_store_url).write("k", b"1")


def test_the_secret_appears_nowhere(s3_store_url, s3_service, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, logger="difsims_core")
    store = open_store(s3_store_url)
    store.write("k", b"1")
    texts = [repr(store), str(store), store.url("k"), caplog.text]
    for operation in (lambda: store.read("missing"), lambda: open_store("s3://no-such-bucket/x").read("k")):
        with pytest.raises(StoreError) as caught:
            operation()
        texts += [str(caught.value), repr(caught.value)]
        assert caught.value.__cause__ is None
    for text in texts:
        assert s3_service.secret_key not in text
    assert s3_service.secret_key.encode() not in pickle.dumps(store)


BEGIN = """
import json, sys
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin
from difsims_core.storage.objects import open_store
from tests.doubles import fake
spec = SimulationSpec(n_patterns=2500, seed=3)
simulator, store = fake(spec), open_store(sys.argv[1])
sys.stdin.read(1)
print(json.dumps(begin(store, spec, 1024, simulator).id))
"""


@pytest.mark.slow
def test_racing_processes_get_one_id(store, small_spec):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, store.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda child: child.communicate("x")[0], children))
    ids = {json.loads(text) for text in said}
    assert ids == {begin(store, small_spec, 1024, fake(small_spec)).id}


def test_a_spawned_process_builds_its_own_connection(s3_store_url):
    store = open_store(s3_store_url)
    store.write("k", b"seen")
    code = "import sys, pickle; print(pickle.load(sys.stdin.buffer).read('k').decode())"
    said = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(store), capture_output=True, check=True, env=dict(os.environ)
    )
    assert said.stdout.strip() == b"seen"
