"""Say in the log that S3 had to be asked again: a store that fails now and then is seen before it fails for good."""

from __future__ import annotations

import logging
import threading
from typing import Any

_log = logging.getLogger("difsims_core.storage.s3.objects")
_ANSWER = "difsims_answer"  # in the context of a request: what came back last
_lock = threading.Lock()
_retries = 0


def retries_so_far() -> int:
    """Return how many requests of this process were sent again."""
    return _retries


def watch_retries(session: Any) -> None:
    """Count and tell the retries of all S3 clients that a botocore session makes from now on.

    botocore asks its ``needs-retry`` handlers after every attempt, and announces every attempt by ``request-created``
    with the same context; that a retry happens, and why, is known only from both.
    """
    session.register("needs-retry.s3", _remember, unique_id="difsims-remember-answer")
    session.register("request-created.s3", _tell, unique_id="difsims-tell-retries")


def _remember(request_dict: dict[str, Any], response: Any, caught_exception: Any, **_others: Any) -> None:
    if response is not None:
        answer = f"answered {response[0].status_code}"
    else:
        answer = f"gave no answer ({type(caught_exception).__name__})"
    request_dict["context"][_ANSWER] = answer


def _tell(request: Any, operation_name: str, **_others: Any) -> None:
    global _retries  # noqa: PLW0603 one count a process
    if request.context.get("retries", {}).get("attempt", 1) < 2:
        return
    with _lock:
        _retries += 1
        count = _retries
    if count & (count - 1) == 0:  # 1, 2, 4, 8, …: a bad day does not fill the log
        answer, word = request.context.get(_ANSWER, "failed"), "retry" if count == 1 else "retries"
        _log.warning("S3 %s to %s; trying again (%d %s so far)", answer, operation_name, count, word)
