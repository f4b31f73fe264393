"""What an S3 failure means, without a server."""

import errno

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from difsims_core.errors import InputError, MissingObjectError, StoreAccessError, StoreError
from difsims_core.storage.s3_errors import is_conflict, translated


def _client_error(code: str) -> OSError:
    error = OSError(errno.EINVAL, "something")
    error.__cause__ = ClientError({"Error": {"Code": code, "Message": "…"}}, "PutObject")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (_client_error("NoSuchBucket"), StoreAccessError, "bucket 'b' does not exist; create it"),
        (_client_error("SignatureDoesNotMatch"), StoreAccessError, "AWS_SECRET_ACCESS_KEY"),
        (_client_error("AuthorizationHeaderMalformed"), StoreAccessError, "AWS_REGION"),
        (PermissionError("denied"), StoreAccessError, "refuses these credentials"),
        (NoCredentialsError(), StoreAccessError, "no credentials found"),
        (_client_error("NoSuchKey"), MissingObjectError, "no such object"),
        (FileNotFoundError("x"), MissingObjectError, "no such object"),
        (_client_error("SlowDown"), StoreError, "try again"),
        (_client_error("InternalError"), StoreError, "try again"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), StoreError, "try again"),
        (TimeoutError("slow"), StoreError, "try again"),
    ],
)
def test_each_failure_has_its_meaning(error, kind, words):
    with pytest.raises(StoreError, match=words) as caught, translated("b/key"):
        raise error
    assert type(caught.value) is kind
    assert str(caught.value).startswith("s3://b/key")


def test_no_secret_passes(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    with pytest.raises(StoreError) as caught, translated("b/key"):
        raise RuntimeError("http://user:password@host/ topsecret")
    assert "topsecret" not in str(caught.value)
    assert "password" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_our_own_errors_pass_unchanged():
    with pytest.raises(InputError, match="mine"), translated("b/key"):
        raise InputError("mine")


def test_losing_a_conditional_write_is_recognised():
    assert is_conflict(FileExistsError())
    assert is_conflict(_client_error("PreconditionFailed"))
    assert not is_conflict(_client_error("InternalError"))
    assert not is_conflict(OSError(errno.EINVAL, "another EINVAL"))
