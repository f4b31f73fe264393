"""What of a text may be shown: no character that controls what shows it, not endless, one line of an error, no secret.

Names come from outside: of files, phases, scans, and in the errors that tell of them. What shows a text (terminal, log,
figure, page) passes it through here; whoever makes the text need not.
"""

from __future__ import annotations

import os
import re
import unicodedata

_SECRET_NAME = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|AUTH|KEY|CONNECTION_URL", re.IGNORECASE)
_SHORTEST_SECRET = 4  # shorter values would blot out words; no server gives such a secret


def printable(text: str) -> str:
    r"""Return a text on one line, in which whatever is not a letter, a sign or a space is spelt out.

    Line ends, the controls of terminals (C0, C1), overrides of the direction of writing, characters that nobody sees
    and half characters, such as those of a badly encoded file name.

    >>> print(printable("roi_3\nINFO | champion \x1b[2J"))
    roi_3\nINFO | champion \x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(sign if _is_seen(sign) else sign.encode("unicode_escape").decode() for sign in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines on purpose, such as the end of a log, each of them as `printable` does."""
    return "\n".join(printable(line.rstrip("\r")) for line in text.expandtabs().split("\n"))


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters: its beginning and its end, which tells most names apart.

    >>> shortened("a_very_long_name_of_a_phase_2", 15)
    'a_very_l…hase_2'
    """
    if len(text) <= most:
        return text
    tail = (most - 1) * 3 // 7
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; its kind when it says nothing."""
    return (str(error).strip().splitlines() or [""])[0].strip() or type(error).__name__


def _is_seen(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) == "Zs"


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
