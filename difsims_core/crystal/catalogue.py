"""Which crystal structures there are: the shipped catalogue, or the user's own folder or ``s3://`` prefix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from difsims_core.config.plain_yaml import read_yaml
from difsims_core.errors import CrystalError, InputError
from difsims_core.registry import nearest
from difsims_core.resources import crystal_folder as shipped_folder
from difsims_core.storage.names import split_url
from difsims_core.storage.objects import files_in


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
    """Return the path or URL of the CIF file of a phase.

    Parameters
    ----------
    name
        Phase name, or a path to a CIF file.
    cif
        The file itself, when the document names it.
    folder
        Folder or ``s3://`` prefix of CIF files; default: the shipped ones.

    Raises
    ------
    CrystalError
        If there is no such file; the message lists the nearest name and the choices.
    """
    if cif is not None or name.lower().endswith(".cif"):
        source = str(cif or name)
        scheme, path = split_url(source)
        if scheme == "file" and not Path(path).is_file():
            raise CrystalError(f"{name}: no CIF file at {source}; check the path")
        return source
    root = str(folder or shipped_folder()).rstrip("/")
    scheme, path = split_url(root)
    if scheme == "file" and not Path(path).is_dir():
        raise CrystalError(f"the crystal folder {root} does not exist; check crystal_folder")
    try:
        files = files_in(root, ".cif")
    except InputError:
        raise CrystalError(f"the crystal folder {root} holds no .cif file; put one CIF a phase there") from None
    found = {file.rsplit("/", 1)[-1].removesuffix(".cif"): file for file in files}
    if name not in found:
        choices = sorted(found)
        raise CrystalError(
            f"no crystal file for phase {name!r} in {root}{nearest(name, choices)} (there are: {', '.join(choices)})"
        )
    return found[name]
