"""Plain values as YAML that is read back as what they were."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from difsims_core.config.yaml.core_schema import TEXT, CoreResolver

_UNSUSPICIOUS = re.compile(r"[\w./][\w./:+ -]*")  # what ruamel.yaml's emitter is right about


class _Representer(SafeRepresenter):
    """Without aliases, which are not read: a list that stands in two places is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def represent_str(self, data: str) -> ScalarNode:
        """Return a text as a node, in quotes unless it certainly needs none."""
        return self.represent_scalar(TEXT, data, style=None if _UNSUSPICIOUS.fullmatch(data) else '"')


_Representer.add_representer(str, _Representer.represent_str)


def write_yaml(value: Any, *, in_one_line: bool = False) -> str:
    """Return plain values as a YAML 1.2 text, keys in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = CoreResolver
    yaml.Representer = _Representer
    yaml.default_flow_style = in_one_line
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.brace_single_entry_mapping_in_flow_sequence = True  # {a: 1}, also in a list
    yaml.width = 1_000_000
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue()
