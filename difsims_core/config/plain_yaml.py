"""YAML as a parameter document needs it: plain values, every key once, no aliases, and 1e5 is a number."""

from __future__ import annotations

import re
from typing import Any

import yaml


class PlainLoader(yaml.SafeLoader):
    """The loader; forms that know tags of their own derive from it."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that appears twice."""
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {', '.join(twice)} appears twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


PlainLoader.add_implicit_resolver(  # YAML 1.2, where 1e5 needs no decimal point
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read_yaml(text: str, loader: type[PlainLoader] = PlainLoader) -> Any:
    """Return the value that a YAML text stands for, with ``loader``'s tags.

    Raises
    ------
    yaml.YAMLError
        If it is malformed, holds an alias or a key twice.
    """
    reader = loader(text)
    try:
        return reader.get_single_data()
    finally:
        reader.dispose()
