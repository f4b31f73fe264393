"""What an S3 failure means, without a server."""

import errno
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from difsims_core.errors import InputError, MissingObjectError, StoreAccessError, StoreError, StoreFullError
from difsims_core.storage.s3.errors import is_conflict, translated


def _client_error(
    code: str, *, kind: type[OSError] = OSError, status: int = 400, ahead: float | None = None
) -> OSError:
    """Return what s3fs raises; the answer has a date where our clock is ``ahead`` seconds before that of the server."""
    error = kind(errno.EINVAL, "something")
    dates = (
        {} if ahead is None else {"date": format_datetime(datetime.now(UTC) - timedelta(seconds=ahead), usegmt=True)}
    )
    answer = {"HTTPStatusCode": status, "HTTPHeaders": dates}
    error.__cause__ = ClientError({"Error": {"Code": code, "Message": "…"}, "ResponseMetadata": answer}, "PutObject")
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (_client_error("NoSuchBucket"), StoreAccessError, "'b'"),
        (_client_error("SignatureDoesNotMatch"), StoreAccessError, "AWS_SECRET_ACCESS_KEY"),
        (_client_error("AuthorizationHeaderMalformed"), StoreAccessError, "AWS_REGION"),
        (PermissionError("denied"), StoreAccessError, "AWS_ACCESS_KEY_ID"),
        (NoCredentialsError(), StoreAccessError, "AWS_ACCESS_KEY_ID"),
        (_client_error("NoSuchKey"), MissingObjectError, "b/key"),
        (FileNotFoundError("x"), MissingObjectError, "b/key"),
        (_client_error("SlowDown"), StoreError, "SlowDown"),
        (_client_error("InternalError"), StoreError, "InternalError"),
        (_client_error("507", status=507), StoreFullError, r"\(507\)"),
        (_client_error("Odd", status=507), StoreFullError, r"\(Odd\)"),
        (_client_error("InsufficientStorage"), StoreFullError, "InsufficientStorage"),
        (_client_error("QuotaExceeded"), StoreFullError, "QuotaExceeded"),
        (_client_error("AccessDenied"), StoreAccessError, r"AccessDenied to PutObject"),
        (_client_error("RequestTimeTooSkewed"), StoreAccessError, "RequestTimeTooSkewed"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), StoreError, "b/key"),
        (TimeoutError("slow"), StoreError, "b/key"),
    ],
)
def test_each_failure_has_its_meaning(error, kind, words):
    with pytest.raises(StoreError, match=words) as caught, translated("b/key"):
        raise error
    assert type(caught.value) is kind
    assert str(caught.value).startswith("s3://b/key")


@pytest.mark.parametrize(
    ("code", "ahead", "words"),
    [
        ("RequestTimeTooSkewed", 7200, " 12[01] min"),
        ("403", -3600, " (59|60) min"),  # of a HEAD request, which has no room for a reason
        ("403", 60, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_wrong_clock_is_told_from_wrong_credentials(code, ahead, words):
    with pytest.raises(StoreAccessError, match=words), translated("b/key"):
        raise _client_error(code, kind=PermissionError, ahead=ahead)


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
