"""What of an error may be shown: one line, and no secret."""

from __future__ import annotations

import os
import re

_SECRET_NAME = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|AUTH|KEY|CONNECTION_URL", re.IGNORECASE)
_SHORTEST_SECRET = 4  # shorter values would blot out words; no server gives such a secret


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its kind when it says nothing."""
    return (str(error).strip().splitlines() or [""])[0].strip() or type(error).__name__


def without_secrets(text: str) -> str:
    """Return a text without the values of secret variables and without user names and passwords in URLs."""
    text = re.sub(r"//[^/@\s]*@", "//…@", text)
    for name, value in os.environ.items():
        if not _SECRET_NAME.search(name):
            continue
        for secret in (value, value.partition(":")[2]):  # the second: the password of user:password
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "…")
    return text
