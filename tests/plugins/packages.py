"""Real little distributions in a folder: modules beside the metadata that an installer would write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, code: str, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """Write the distribution ``name`` 1.0 of one module, also ``name``; the folder belongs on the path of imports.

    Parameters
    ----------
    code
        Of the module.
    entry_points
        For each group, what a name refers to.
    """
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = []
    for group, members in entry_points.items():
        lines += [f"[{group}]", *(f"{member} = {place}" for member, place in members.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
