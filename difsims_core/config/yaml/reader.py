"""YAML 1.2 as a parameter document needs it: plain values, every key once and text, one document, no aliases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from difsims_core.config.yaml.core_schema import MERGE, VALUES, YAML_ORG, CoreResolver
from difsims_core.config.yaml.errors import in_plain_words, shown
from difsims_core.errors import MalformedError
from difsims_core.plain_json import MOST_NESTED
from difsims_core.plugins import nearest

_LONGEST_TAG = 60
_MOST_VALUES = 100_000  # a few seconds of reading
# With another version than 1.2 ruamel.yaml would switch its rules, or fail.
_OTHER_VERSION = re.compile(r"(?:^|\r)\ufeff?(%YAML(?![ \t]+1\.2[ \t]*(?:[\r\n#]|$))[^\r\n]*)", re.MULTILINE)
_KINDS = {f"{YAML_ORG}null": "null", f"{YAML_ORG}bool": "true or false"}

TagReader = Callable[[Any, str, int], Any]
"""What a tag makes of the value that it stands before, given the tag's name and its line."""


def read_yaml(
    text: str, *, tags: Mapping[str, TagReader] | None = None, resolver: type[VersionedResolver] = CoreResolver
) -> Any:
    """Return the value that a YAML text stands for.

    Parameters
    ----------
    text
        The whole text.
    tags
        Tags that it may hold, and what they make of a value.
    resolver
        What words without quotes stand for.

    Raises
    ------
    MalformedError
        If it is malformed, nested too deeply or too long, or holds more than plain values.
    """
    if other := _OTHER_VERSION.search(text):
        line = text.count("\n", 0, other.start(1)) + 1
        raise MalformedError.at(line, f"{shown(other[1])}: documents are read as YAML 1.2", "leave this line out")
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = resolver
    return _Builder(_events(yaml, text), yaml.resolver, tags or {}).document()


def _events(yaml: YAML, text: str) -> Iterator[Event]:
    try:
        yield from yaml.parse(text)
    except YAMLError as error:
        raise in_plain_words(error, text) from None
    except (ValueError, OverflowError):  # what ruamel.yaml says of an escape beyond the last character
        raise MalformedError(r"an escape \U stands for no character; the last one is \U0010FFFF") from None


class _Builder:
    """Plain values from the events of ruamel.yaml's parser."""

    def __init__(self, events: Iterator[Event], resolver: VersionedResolver, tags: Mapping[str, TagReader]) -> None:
        self._events = events
        self._resolver = resolver
        self._tags = tags
        self._count = 0

    def document(self) -> Any:
        """Return the value of the only document; None if there is none."""
        next(self._events)  # the beginning of the stream
        event = next(self._events)
        if isinstance(event, StreamEndEvent):
            return None
        value = self._value(next(self._events), 0)
        ends = [next(self._events), next(self._events)]
        if not isinstance(ends[0], DocumentEndEvent) or not isinstance(ends[1], StreamEndEvent):
            raise MalformedError.at(_line(ends[1]), "a second document begins here", "write one document a file")
        return value

    def _value(self, event: Event, depth: int) -> Any:
        self._count += 1
        if depth > MOST_NESTED:
            raise MalformedError.at(_line(event), f"values are nested more than {MOST_NESTED} deep", "nest them less")
        if self._count > _MOST_VALUES:
            raise MalformedError.at(_line(event), f"there are more than {_MOST_VALUES:,} values", "write fewer")
        if isinstance(event, AliasEvent):
            raise MalformedError.at(_line(event), "aliases are not allowed", f"write the value of *{event.anchor} out")
        if isinstance(event, SequenceStartEvent):
            return self._tagged(event, event.tag, self._sequence(depth))
        if isinstance(event, MappingStartEvent):
            return self._tagged(event, event.tag, self._mapping(depth))
        return self._scalar(event)

    def _sequence(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._value(event, depth + 1))
        return found

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event, depth)
            if key in found:
                name = key if key.isidentifier() else shown(key)
                raise MalformedError.at(_line(event), f"the key {name} appears twice", "leave one of them out")
            found[key] = self._value(next(self._events), depth + 1)
        return found

    def _key(self, event: Event, depth: int) -> str:
        key = self._value(event, depth + 1)
        if not isinstance(key, str):
            found = event.value[:40] or "nothing" if isinstance(event, ScalarEvent) else "a list or section"
            raise MalformedError.at(_line(event), f"a key must be text, found {found}", "write a name, or quote it")
        return key

    def _scalar(self, event: Event) -> Any:
        if not isinstance(event, ScalarEvent):
            raise MalformedError.at(_line(event), "a value was expected here", "check indentation and brackets")
        tag = event.tag
        if tag in (None, "!"):
            plain = tag is None and event.implicit[0]
            tag = str(self._resolver.resolve(ScalarNode, event.value, (plain, False)))
        if tag == MERGE:
            raise MalformedError.at(_line(event), "<< does not merge in YAML 1.2", "write the keys out")
        if tag not in VALUES:
            return self._tagged(event, tag, event.value)
        try:
            event.value.encode()
            return VALUES[tag](event.value)
        except UnicodeEncodeError:
            problem = f"{event.value!r} holds half a character; write \\U and eight digits for a whole one"
        except (KeyError, ValueError):
            kind = _KINDS.get(tag, "a number")
            problem = f"{shown(event.value)} cannot be read as {kind}; write another value, or text in quotes"
        raise MalformedError.at(_line(event), problem)

    def _tagged(self, event: Event, tag: str | None, found: Any) -> Any:
        if tag in (None, "!", {dict: f"{YAML_ORG}map", list: f"{YAML_ORG}seq"}.get(type(found))):
            return found
        if tag in self._tags:
            return self._tags[tag](found, tag, _line(event))
        short = tag.replace(YAML_ORG, "!!", 1)[:_LONGEST_TAG]
        raise MalformedError.at(
            _line(event), f"the tag {short} is not known here{nearest(short, list(self._tags))}", "write the value out"
        )


def _line(event: Event) -> int:
    return event.start_mark.line + 1
