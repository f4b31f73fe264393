"""What an S3 failure means: refused, not there, or worth another try. No message carries a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from difsims_core.errors import DifsimsError, MissingObjectError, StoreAccessError, StoreError

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
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"


def error_code(error: BaseException) -> str:
    """Return the S3 error code behind an exception of s3fs or botocore, or an empty string."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


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


def _meaning(path: str, error: Exception) -> StoreError:
    url, code, kind = f"s3://{path}", error_code(error), type(error).__name__
    if refusal := _refusal(path, error, code):
        return StoreAccessError(f"{url}: {refusal}")
    if isinstance(error, FileNotFoundError) or code in {"NoSuchKey", "404", "NotFound"}:
        return MissingObjectError(f"{url}: no such object; check the name")
    reason = f"{kind} {code}".strip()
    return StoreError(f"{url}: the store failed ({reason}: {_redacted(str(error))}); it may be temporary: try again")


def _refusal(path: str, error: Exception, code: str) -> str | None:
    """Return why another try will not help, and what would."""
    kind = type(error).__name__
    if code == "NoSuchBucket":
        return f"the bucket {path.split('/', 1)[0]!r} does not exist; create it, or correct DIFSIMS_STORE"
    if kind in _NO_CREDENTIALS:
        return f"no credentials found ({kind}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code in _REFUSED or isinstance(error, PermissionError):
        return f"the store refuses these credentials ({code or kind}); {_CREDENTIALS}"
    if code in _ELSEWHERE:
        return f"the bucket lives in another region ({code}); set AWS_REGION"
    if isinstance(error, ValueError):
        return f"{_redacted(str(error))}; check AWS_ENDPOINT_URL, AWS_REGION and the URL"
    return None


def _redacted(text: str) -> str:
    text = re.sub(r"//[^/@\s]*@", "//…@", text)
    for name in _SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "…")
    return text
