"""What an S3 failure means: refused, not there, full, or worth another try. No message carries a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from difsims_core.errors import DifsimsError, MissingObjectError, StoreAccessError, StoreError, StoreFullError
from difsims_core.messages import without_secrets

_REFUSED = {
    "401", "403", "AccessDenied", "AccountProblem", "AllAccessDisabled", "ExpiredToken", "Forbidden",
    "InvalidAccessKeyId", "InvalidSecurity", "InvalidToken", "NotSignedUp", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired",
}  # fmt: skip
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
_ELSEWHERE = {
    "301",
    "307",
    "PermanentRedirect",
    "Redirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_FULL = {
    "507", "InsufficientCapacity", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
}  # fmt: skip
_WRITES = {"PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload"}
_FREE_SPACE = (
    "free space (`difsims retention` shows what may go) or choose another store, then run again: finished work is kept"
)
_SKEW_SECONDS = 600  # S3 refuses requests signed 15 minutes away from its own time
_CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"


def error_code(error: BaseException) -> str:
    """Return the S3 error code behind an exception of s3fs or botocore, or an empty string."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def is_conflict(error: BaseException) -> bool:
    """Return whether a conditional write lost; s3fs says EINVAL, or FileExistsError where the server is explicit."""
    return isinstance(error, FileExistsError) or error_code(error) in {"PreconditionFailed", "412"}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what s3fs and botocore raise into our own errors, without their texts' secrets."""
    try:
        yield
    except DifsimsError:
        raise
    except Exception as error:  # noqa: BLE001 botocore, aiohttp and s3fs have no common base
        raise _meaning(path, error) from None


def check_deleted(path: str, answer: dict[str, Any]) -> None:
    """Raise what an answer to DeleteObjects says of single keys; the request itself counts as done all the same.

    Raises
    ------
    StoreError
        If a key could not be removed.
    """
    for problem in answer.get("Errors", ())[:1]:
        bucket, code = path.split("/", 1)[0], problem.get("Code", "")
        url = f"s3://{bucket}/{problem.get('Key', '')}"
        if code in _REFUSED:
            raise StoreAccessError(f"{url}: this identity may not delete ({code} to DeleteObjects)", _CREDENTIALS)
        raise StoreError(f"{url}: could not be deleted ({code}: {problem.get('Message', '')})", "try again")


def _meaning(path: str, error: Exception) -> StoreError:
    url, code, kind = f"s3://{path}", error_code(error), type(error).__name__
    if refusal := _refusal(path, error, code):
        problem, remedy = refusal
        return StoreAccessError(f"{url}: {problem}", remedy)
    if isinstance(error, FileNotFoundError) or code in {"NoSuchKey", "404", "NotFound"}:
        return MissingObjectError(f"{url}: no such object", "check the name")
    if code in _FULL or _metadata(error).get("HTTPStatusCode") == 507:
        return StoreFullError(f"{url}: the store is full ({code or 507})", _FREE_SPACE)
    reason = f"{kind} {code}".strip()
    hint = "try again"
    if kind == "EndpointConnectionError":
        hint = "try again when the server runs, or correct AWS_ENDPOINT_URL"
    if code == "InternalError" and _operation(error) in _WRITES:
        # SeaweedFS tells its own log alone that no volume has room: `No writable volumes and no free volumes left`
        hint = f"try again. Servers that are full may answer so too: look at the disk of the store; {_FREE_SPACE}"
    text = without_secrets(str(error))
    return StoreError(f"{url}: the store failed ({reason}: {text})", f"it may be temporary: {hint}")


def _refusal(path: str, error: Exception, code: str) -> tuple[str, str] | None:  # noqa: PLR0911 one a cause
    """Return (why another try will not help, what would), None where it may."""
    kind = type(error).__name__
    if code == "NoSuchBucket":
        return f"the bucket {path.split('/', 1)[0]!r} does not exist", "create it, or correct DIFSIMS_STORE"
    if kind in _NO_CREDENTIALS:
        return f"no credentials found ({kind})", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code in _REFUSED or isinstance(error, PermissionError):
        return _refused(error, code or kind)
    if code in _ELSEWHERE:
        return f"the bucket lives in another region ({code})", "set AWS_REGION"
    if kind == "SSLError":
        return _not_trusted(error)
    if isinstance(error, ValueError):
        return f"{without_secrets(str(error))}", "check AWS_ENDPOINT_URL, AWS_REGION and the URL"
    return None


def _not_trusted(error: Exception) -> tuple[str, str]:
    reason = without_secrets(str(error)).rsplit("] ", 1)[-1]
    return (
        f"the certificate of the store is not trusted, or it does not speak TLS ({reason})",
        "set AWS_CA_BUNDLE to the file of the authority that signed it, and check AWS_ENDPOINT_URL",
    )


def _refused(error: Exception, code: str) -> tuple[str, str]:
    """Return what is wrong with the credentials, or with the clock that signed the request, and the remedy.

    The answer to a HEAD request names no reason; its ``Date`` tells whether it is the clock.
    """
    ahead = _seconds_ahead(error)
    if code != "RequestTimeTooSkewed" and abs(ahead) < _SKEW_SECONDS:
        operation = _operation(error)
        answer = f"{code} to {operation}" if operation else code
        if code == "AccessDenied":
            return (
                f"this identity may not do that here ({answer})",
                "give it the right, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to one that has it",
            )
        return f"the store refuses these credentials ({answer})", _CREDENTIALS
    amount = f" by {abs(ahead) / 60:.0f} minutes, {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) > 60 else ""
    return (
        f"the clock of this machine differs from that of the store{amount} (RequestTimeTooSkewed)",
        "set it right, for example with `timedatectl set-ntp true`",
    )


def _seconds_ahead(error: BaseException) -> float:
    """Return how far the clock here is ahead of the answer's ``Date``; 0 when there is none."""
    try:
        server_time = parsedate_to_datetime(_metadata(error)["HTTPHeaders"]["date"])
        return (datetime.now(UTC) - server_time).total_seconds()
    except (KeyError, TypeError, ValueError):
        return 0.0


def _answer(error: BaseException) -> dict[str, Any]:
    """Return the answer of the server behind an exception of s3fs or botocore, as botocore keeps it."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return response
    return {}


def _metadata(error: BaseException) -> dict[str, Any]:
    return _answer(error).get("ResponseMetadata", {})


def _operation(error: BaseException) -> str:
    return getattr(error.__cause__ or error, "operation_name", "")
