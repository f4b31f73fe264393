"""Text in Markdown, as Prefect's UI shows it: what names hold stays text; links are made here and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import quote

from difsims_core.messages import printable
from difsims_core.storage.names import as_written

_MARKS = re.compile(
    r"[\\`*\[\]<>{}|~&#@!$^]"  # emphasis, code, links, pictures, HTML, cells, entities, headings, addresses
    r"|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])"  # within a word an underscore is one
    r"|:(?=\S)|(?<=www)\."  # an address becomes a link by itself
    r"|^\s*(?:[-+=]|\d+(?=[.)]))"  # a list, a line below a heading
    , re.IGNORECASE
)  # fmt: skip
_KEPT_IN_URL = "/:?&=%#@+,;~!$*'"


def text(value: str) -> str:
    r"""Return a text that Markdown shows as it is, on one line.

    >>> print(text("[open](javascript:x) | <b>"))
    \[open\](javascript\:x) \| \<b\>
    """
    return _MARKS.sub(_escaped, printable(value).strip())


def code(value: str) -> str:
    """Return a text as code, within more backticks than it holds in a row."""
    shown = printable(value)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    apart = " " if fence != "`" else ""
    return f"{fence}{apart}{shown}{apart}{fence}"


def link(name: str, url: str) -> str:
    """Return a link where a browser can open the address, http(s) alone; else the name, and where to look."""
    if url.lower().startswith(("http://", "https://")):
        return f"[{text(name)}]({quote(url, safe=_KEPT_IN_URL)})"
    return f"{text(name)}: {code(as_written(url))}"


def _escaped(found: re.Match[str]) -> str:
    marks = found.group()
    return f"{marks}\\" if marks[-1].isdigit() else f"{marks[:-1]}\\{marks[-1]}"
