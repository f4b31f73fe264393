"""What is wrong with a YAML text, in one line: where, what was found, what to do."""

from __future__ import annotations

import re

from ruamel.yaml import YAMLError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from difsims_core.errors import MalformedError

_LONGEST_SHOWN = 60
# What ruamel.yaml's parser says, in the words of somebody who writes a document; {start} is the line where what it
# was reading began, and groups are what it found.
_PLAIN = {
    "mapping values are not allowed": "a ': ' does not fit here: this line or the one above is no 'key: value' or not "
    "indented like its neighbours, or a text that holds ': ' needs quotes",
    "sequence entries are not allowed": "a list cannot begin here; put its '- ' on a line below, or write [a, b]",
    "could not find expected ':'": "expected 'key: value' in line {start}, with a space behind the colon",
    r"found character '\\t'": "a tab stands here; write spaces instead",
    "found character (.+) that cannot start": "a text cannot begin with {0}; put it in quotes",
    "scanning an (?:anchor|alias)": "a text cannot begin with & or *; put it in quotes",
    "quoted scalar.*end of stream": "the quote that line {start} opens is never closed",
    "double-quoted scalar.*escape": r"a backslash is written twice in double quotes (\\), or use single quotes",
    "flow (?:sequence|mapping).*stream end": "the bracket that line {start} opens is never closed",
    "flow (?:sequence|mapping).*expected ','": "expected a comma, or the end of the bracket that line {start} opens",
    "flow node.*stream end": "a bracket is never closed",
    "flow node.*found (.+)$": "a value is missing before {0}",
    r"<block end>, but found '([\]}}])'": "the bracket {0} closes none; leave it out",
    "<block end>, but found '<scalar>'": "there is more text where the value has ended; put the whole in quotes (a "
    "quote within is written twice)",
    "<block end>": "this is not indented like the section that begins in line {start}, or it is a list among keys",
    "directive|incompatible YAML": "a line that begins with % is a directive; leave it out",
    "<document start>": "there is more text where the document has ended; check brackets and quotes above",
    "block scalar": "what follows | or > begins on the next line, indented",
}


def shown(text: str) -> str:
    """Return a text in quotes, the beginning if it is long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def in_plain_words(error: YAMLError, text: str) -> MalformedError:
    """Return what ruamel.yaml's parser says of a text in words that help."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return MalformedError.at(line, f"the character U+{error.character:04X} is not allowed in YAML", "leave it out")
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return MalformedError(" ".join(str(error).split()))
    start = error.context_mark.line + 1 if error.context_mark else mark.line + 1
    message = f"{error.context}: {error.problem}"
    matches = ((re.search(pattern, message, re.DOTALL), words) for pattern, words in _PLAIN.items())
    plain = next((words.format(*found.groups(), start=start) for found, words in matches if found), error.problem)
    return MalformedError(f"line {mark.line + 1}, column {mark.column + 1}: {plain}")
