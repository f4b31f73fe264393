"""A real S3 server: credentials, buckets, secrets, racing processes."""

import asyncio
import json
import logging
import os
import pickle
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from aiobotocore.endpoint import AioEndpoint
from botocore import auth

from difsims_core.dataset.build import begin
from difsims_core.errors import StoreAccessError, StoreError
from difsims_core.storage.npz.contracts import read_profiles
from difsims_core.storage.objects import expand_urls, open_store
from tests.doubles import fake
from tests.services import free_ports, running_s3

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
    with pytest.raises(StoreAccessError, match="AWS_SECRET_ACCESS_KEY") as caught:
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
    with pytest.raises(StoreAccessError, match="'no-such-bucket'"):
        OPERATIONS[operation](open_store("s3://no-such-bucket/prefix"))


def test_no_credentials_at_all(s3_store_url, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreAccessError, match="AWS_ACCESS_KEY_ID"):
        open_store(s3_store_url).read("k")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_worth_another_try(s3_store_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(StoreError) as caught:
        open_store(s3_store_url).read("k")
    assert type(caught.value) is StoreError


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


def _answer(url):
    """Return (status, body, headers) as a browser gets them."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_a_signed_link_opens_one_object_for_a_while(s3_store_url, s3_service):
    store = open_store(s3_store_url)
    store.write("reports/run ü/index.html", b"<html>")
    store.write("secret.png", b"png")
    link = store.signed_url("reports/run ü/index.html", 3600)
    status, body, headers = _answer(link)
    assert (status, body, headers["Content-Type"]) == (200, b"<html>", "text/html")
    assert s3_service.secret_key not in link
    other = store.signed_url("secret.png", 3600)
    assert _answer(other)[2]["Content-Type"] == "image/png"
    for altered in (
        link.split("?")[0],
        other.split("?")[0] + "?" + link.split("?")[1],
        link.replace("X-Amz-Expires=3600", "X-Amz-Expires=360000"),
    ):
        assert _answer(altered)[0] == 403


def test_a_signed_link_ends(s3_store_url):
    store = open_store(s3_store_url)
    store.write("k.png", b"png")
    link = store.signed_url("k.png", 1)
    statuses = []
    while len(statuses) < 100 and 403 not in statuses:
        statuses.append(_answer(link)[0])
        time.sleep(0.1)
    assert set(statuses) <= {200, 403}
    assert b"expired" in _answer(link)[1]


def test_no_credentials_no_link(s3_store_url, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreAccessError, match="AWS_ACCESS_KEY_ID"):
        open_store(s3_store_url).signed_url("k", 60)


@pytest.mark.parametrize("hours", [3, -3])
def test_a_wrong_clock_is_named(s3_store_url, monkeypatch, hours):
    store, now = open_store(s3_store_url), auth.get_current_datetime
    monkeypatch.setattr(auth, "get_current_datetime", lambda *_: now() + timedelta(hours=hours))
    for operation in (lambda: store.write("k", b""), lambda: store.read("k"), store.list):
        with pytest.raises(StoreAccessError, match="RequestTimeTooSkewed"):
            operation()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/bin/mount").exists(), reason="needs to mount a small tmpfs")
def test_a_store_whose_disk_is_full(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with running_s3(disk / "s3") as service:
            for name, value in service.environment.items():
                monkeypatch.setenv(name, value)
            store = open_store(f"s3://{service.bucket}/x")
            store.write("first", b"kept")
            monkeypatch.setattr(AioEndpoint, "_sleep", lambda *_: asyncio.sleep(0))
            with pytest.raises(StoreError, match=f"{service.bucket}/x/big/"):  # noqa: PT012
                for number in range(40):
                    store.write(f"big/{number}", os.urandom(4_000_000))
            assert store.read("first") == b"kept"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


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
