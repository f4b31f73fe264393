"""Parameter documents in and out: YAML and JSON files, and single keys set from a command line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from difsims_core.config.base import STORED, Spec
from difsims_core.config.beside import with_files_beside
from difsims_core.config.keys.aliases import FIRST_NAMES
from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.yaml.errors import shown
from difsims_core.config.yaml.reader import read_yaml
from difsims_core.config.yaml.writer import write_yaml
from difsims_core.errors import MalformedError, SpecError
from difsims_core.messages import printable
from difsims_core.plain_json import MOST_NESTED, read_json
from difsims_core.resources import specs_folder

S = TypeVar("S", bound=Spec)
_LONGEST = 1_000_000
_LONGEST_KEY = 60
_MOST_LINES, _LONGEST_MESSAGE = 50, 2000
_OLD_FORM = {"sim_params", "structure_parameters"}
_CONVERT = "this is a legacy document; difsims convert writes it in today's form"


def load_spec(path: str | Path, kind: type[S] = SimulationSpec, changes: Iterable[str] = ()) -> S:
    """Read a parameter document (``.yaml``, ``.yml`` or ``.json``).

    Parameters
    ----------
    path
        The file, or the name of a document that comes along, such as ``reference.yaml``.
    kind
        The spec it holds.
    changes
        ``key=value`` strings applied on top; keys are dotted, values are YAML.

    Raises
    ------
    SpecError
        If the file is missing or malformed, or a key or value is not allowed; the message names file, key, value
        and, for a typo, the nearest key.

    Examples
    --------
    >>> from difsims_core import load_spec
    >>> spec = load_spec("reference.yaml", changes=["n_patterns=300", "phases=[pb, gratia_2h]"])
    >>> spec.n_patterns, spec.class_names
    (300, ('pb', 'gratia_2h'))
    """
    return make_spec(apply_changes(read_document(path), changes), kind, source=str(path))


def read_document(path: str | Path) -> dict[str, Any]:
    """Return the plain values of a parameter document, not validated yet.

    A relative path in it is looked for beside the document; where nothing lies there it stays as it is.

    Raises
    ------
    SpecError
        If the file is missing or malformed.
    """
    path = find_document(path)
    return with_files_beside(_parse(read_text(path), path), path.absolute().parent)


def find_document(path: str | Path) -> Path:
    """Return the path of a document: itself, or, where nothing lies there, that of the shipped one of this name."""
    path = Path(path)
    shipped = specs_folder() / path
    here, known = os.path.exists(path), os.path.isfile(shipped)  # noqa: PTH110, PTH113 pathlib raises for long names
    return shipped if path.name == str(path) and known and not here else path


def read_text(path: Path) -> str:
    """Return the text of a parameter document; one that is missing, not text or absurdly long is refused."""
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: no such parameter document", f"check the path; {_shipped()} come along") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read as a parameter document ({error})") from None
    return _decoded(data, path)


def parse_document(data: bytes, source: str) -> dict[str, Any]:
    """Return the plain values of a parameter document, not validated; paths in it stay as they are.

    Parameters
    ----------
    data
        Its bytes.
    source
        Where they come from, for errors.

    Raises
    ------
    SpecError
        If it is malformed.
    """
    return _parse(_decoded(data, source), source)


def _decoded(data: bytes, source: str | Path) -> str:
    if len(data) > _LONGEST:
        raise SpecError(f"{source}: a parameter document has at most {_LONGEST:,} bytes, found more", "check the path")
    encoding = json.detect_encoding(data)  # those of YAML are those of JSON: UTF-8, -16 and -32, with a mark or without
    try:
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except UnicodeDecodeError as error:
        raise SpecError(f"{source}: cannot be read as text ({error})", "save it as UTF-8") from None


def _shipped() -> str:
    return ", ".join(sorted(item.name for item in specs_folder().glob("*.yaml")))


def make_spec(
    document: Mapping[str, Any], kind: type[S] = SimulationSpec, *, source: str = "parameters", stored: bool = False
) -> S:
    """Validate plain values as a spec; ``source`` says in errors where they came from.

    A ``stored`` document tells what was made: it may name plugins that are not installed here, since it can be read
    without them.

    Raises
    ------
    SpecError
        One line for each key that is not allowed or out of range; a document that holds a sweep is not one spec.
    """
    if issubclass(kind, SimulationSpec) and "sweep" in document:
        if document["sweep"]:
            raise SpecError(
                f"{source}: holds a sweep, which stands for several simulations; read it with load_sweep, or run "
                "difsims simulate",
                "--set sweep=null leaves the sweep out",
            )
        document = {key: value for key, value in document.items() if key != "sweep"}
    try:
        return kind.model_validate(document, context={STORED: stored})
    except OverflowError:
        raise SpecError(f"{source}: holds a number that is too large", "correct it") from None
    except ValidationError as error:
        lines = []
        problems = error.errors(include_url=False)
        within = {problem["loc"][:end] for problem in problems for end in range(len(problem["loc"]))}
        for problem in problems:
            if problem["type"] == "too_short" and problem["loc"] in within:
                continue  # a list whose bad item is reported already, and does not count for its length
            where = ".".join(str(part) for part in problem["loc"]) or "document"
            message = problem["msg"].removeprefix("Value error, ")
            if len(message) > _LONGEST_MESSAGE:  # it quotes the value
                message = f"{message[:_LONGEST_MESSAGE]}…"
            found = problem.get("input")
            ending = f" (found {_found(found)})" if isinstance(found, str | int | float | bool) else ""
            lines.append(printable(f"{source}: {where}: {message}{ending}"))
        lines = list(dict.fromkeys(lines))
        more = [f"{source}: and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        raise SpecError("\n".join([*lines[:_MOST_LINES], *more])) from None


def _found(value: str | float) -> str:
    return shown(value) if isinstance(value, str) else repr(value)


def dump_spec(spec: Spec) -> str:
    """Return the document as YAML, every default written out."""
    return write_yaml(spec.to_document())


def apply_changes(document: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return a copy of a document with ``key=value`` changes applied; keys are dotted, values are YAML."""
    result = json.loads(json.dumps(document))
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or not key.strip():
            raise SpecError(f"expected key=value, found {shown(change)}", "for example n_patterns=1000")
        try:
            value = read_yaml(text)
        except MalformedError as error:
            raise SpecError(
                f"{key[:_LONGEST_KEY]}: {shown(text)} is not a value of YAML: {error.problem}", error.remedy
            ) from None
        set_key(result, key.strip(), value, change)
    return result


def set_key(document: dict[str, Any], key: str, value: Any, change: str) -> None:
    """Set one dotted key of a document, in place; ``change`` is what an error calls it."""
    *parents, last = key.split(".")
    if len(parents) >= MOST_NESTED:
        raise SpecError(f"cannot set {shown(change)}: keys have at most {MOST_NESTED} parts", "check the key")
    for part in parents:
        child = document.get(part)
        if child is None:
            child = document[part] = {}
        if not isinstance(child, dict):
            raise SpecError(
                f"cannot set {shown(change)}: {shown(part)} is a single value in this document, not a section"
            )
        document = child
    for first, today in FIRST_NAMES.items():
        if last in (first, today):
            document.pop(
                today if last == first else first, None
            )  # one quantity: the name set last is the one that stands
    document[last] = value


def _parse(text: str, path: str | Path) -> dict[str, Any]:
    try:
        document = read_json(text) if str(path).lower().endswith(".json") else read_yaml(text)
    except MalformedError as error:
        old = "!pspace" in text or "!pdim" in text
        raise SpecError(f"{path}: {_CONVERT if old else f'malformed document: {error}'}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        found = f"the text {shown(document)}" if isinstance(document, str) else type(document).__name__
        raise SpecError(f"{path}: expected 'key: value' at the top level, with a space behind the colon; found {found}")
    if _OLD_FORM & document.keys():
        raise SpecError(f"{path}: {_CONVERT}")
    return document
