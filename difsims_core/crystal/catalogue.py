"""Which crystal structures there are: the shipped catalogue, and the user's own folder or ``s3://`` prefix."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from difsims_core.config.class_names import class_name, file_spellings
from difsims_core.config.yaml.reader import read_yaml
from difsims_core.errors import CrystalError, InputError
from difsims_core.plugins import nearest
from difsims_core.resources import crystal_folder as shipped_folder
from difsims_core.storage.names import as_written, file_name, join_url, parent_url, split_url
from difsims_core.storage.objects import files_in, object_exists

_log = logging.getLogger(__name__)
_ENDING = ".cif"
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What the catalogue says of one shipped phase.

    Attributes
    ----------
    name
        Class name and stem of the CIF file.
    title, formula, space_group, source, notes
        For people; ``space_group`` is the Hermann–Mauguin symbol.
    sha256
        Of the bytes of the CIF file.
    """

    name: str
    file: str
    title: str
    formula: str
    space_group: str
    source: str
    sha256: str
    notes: str = ""


@lru_cache(maxsize=1)
def list_catalogue() -> tuple[CatalogueEntry, ...]:
    """Return the shipped phases, in the order of ``catalogue.yaml``."""
    document = read_yaml((shipped_folder() / "catalogue.yaml").read_text(encoding="utf-8"))
    fields = CatalogueEntry.__dataclass_fields__
    return tuple(
        CatalogueEntry(**{key: str(value) for key, value in entry.items() if key in fields})
        for entry in document["phases"]
    )


def find_crystal(name: str, cif: str | None = None, folder: str | Path | None = None) -> str:
    """Return the path or URL of the crystal file of a phase.

    Parameters
    ----------
    name
        Phase name, or a path to a crystal file.
    cif
        The file itself, when the document names it; a relative path is looked for in ``folder``, then in the working
        directory.
    folder
        Folder or ``s3://`` prefix of one's own crystal files; they come before the shipped ones.

    Raises
    ------
    CrystalError
        If there is no such file; the message lists the nearest name and the choices.
    """
    if cif is not None or name.lower().endswith(_ENDING):
        return _named_file(name, str(cif or name), folder)
    own = {} if folder is None else _by_stem(crystal_files(str(folder)))
    shipped = _by_stem(crystal_files(str(shipped_folder())))
    file = _chosen(name, own) or _chosen(name, shipped)
    if file is None:
        choices = sorted({*own, *shipped})
        shown = ", ".join(choices[:_MOST_SHOWN]) + ", …" * (len(choices) > _MOST_SHOWN)
        place = f"in {folder} or " if folder is not None else ""
        raise CrystalError(
            f"no crystal file for phase {name!r} {place}among those that come along{nearest(name, choices)} (there "
            f"are: {shown})",
            f"name the file with {{name: {name}, cif: path.cif}}, or its folder with crystal_folder",
        )
    if name in shipped and file != shipped[name][0]:
        _notice(f"phase {name} is read from {file}, not from the file of that name that comes along")
    return file


def is_place(name: str) -> bool:
    """Return whether the name of a phase says itself where its crystal file lies, as ``folder/film.cif``."""
    return "/" in name or name.lower().endswith(_ENDING)


def is_shipped(file: str) -> bool:
    """Return whether a crystal file is one of those that come along."""
    return parent_url(file) == join_url("file", str(shipped_folder()))


def _named_file(name: str, source: str, folder: str | Path | None) -> str:
    if "://" in source or source.startswith(("/", "~/")):
        places = [source]
    else:
        places = [*([] if folder is None else [_below(folder, source)]), source]
    found = next((file for place in places for file in file_spellings(place) if object_exists(file)), None)
    if found is None:
        shown = f"{name}: " if name != source else ""
        raise CrystalError(f"{shown}no CIF file at {' or '.join(places)}", "check the path")
    return found


def _below(folder: str | Path, path: str) -> str:
    scheme, root = split_url(folder)
    return as_written(join_url(scheme, f"{root.rstrip('/')}/{path}"))


def crystal_files(folder: str) -> list[str]:
    """Return the crystal files of a folder or ``s3://`` prefix, sorted.

    Raises
    ------
    CrystalError
        If there is no such folder, or it holds none.
    """
    if not folder.strip():
        raise CrystalError("the crystal folder has no name", "give a folder, or leave crystal_folder out")
    root = folder.rstrip("/") or "/"
    scheme, path = split_url(root)
    if scheme == "file" and not Path(path).is_dir():
        raise CrystalError(f"the crystal folder {root} does not exist", "check crystal_folder")
    try:
        files = [file for file in files_in(root, "") if file.lower().endswith(_ENDING)]
    except InputError:
        files = []
    if not files:
        raise CrystalError(f"the crystal folder {root} holds no .cif file", "put one CIF a phase there")
    return files


def _by_stem(files: list[str]) -> dict[str, list[str]]:
    """Return files by name without ending; files that differ in the case of the ending share one."""
    found: dict[str, list[str]] = {}
    for file in files:
        found.setdefault(file_name(file)[: -len(_ENDING)], []).append(file)
    return found


def _chosen(name: str, files: dict[str, list[str]]) -> str | None:
    """Return the file of a name, or else the one whose class name it is."""
    fitting = files.get(name) or [file for stem, same in files.items() if class_name(stem) == name for file in same]
    if len(fitting) > 1:
        raise CrystalError(
            f"phase {name!r} could be each of {', '.join(fitting)}",
            f"rename one, or say which: {{name: {name}, cif: {file_name(fitting[0])}}}",
        )
    return fitting[0] if fitting else None


@lru_cache(maxsize=256)
def _notice(text: str) -> None:
    _log.warning("%s", text)  # once a process
