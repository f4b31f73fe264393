"""The explicit list of symmetry operations of a crystal file; nothing of it is evaluated."""

from __future__ import annotations

import re

import gemmi
import numpy as np

from difsims_core.crystal.cif.space_groups import named_setting
from difsims_core.crystal.cif.tables import CifBlock
from difsims_core.crystal.setting import DENOMINATOR, Setting
from difsims_core.errors import CrystalError

LISTS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_TRIPLET = re.compile(r"[xyz0-9+\-*/.,]+")  # nothing else can be an operation on positions
_MOST_LISTED = 2 * 192  # the most that a group has, and some twice


def listed_setting(block: CifBlock, source: str) -> Setting | None:
    """Return the group of the operations that a file lists; None when it lists none.

    Raises
    ------
    CrystalError
        If one of them is none, they are no group, or two lists differ.
    """
    groups = [_group_of(found, source) for tag in LISTS if (found := block.values(tag))]
    if len(groups) > 1 and groups[0].keys != groups[1].keys:
        raise CrystalError(f"{source}: its lists {LISTS[0]} and {LISTS[1]} differ", "remove the wrong one")
    return groups[0] if groups else None


def _group_of(triplets: list[str], source: str) -> Setting:
    if len(triplets) > _MOST_LISTED:
        raise CrystalError(f"{source}: lists {len(triplets)} symmetry operations; no space group has over 192")
    operations = [_operation(text, place, source) for place, text in enumerate(triplets, start=1)]
    rotations = np.array([operation.rot for operation in operations])
    if (rotations % DENOMINATOR).any() or not _keep_volume(rotations // DENOMINATOR):
        raise CrystalError(
            f"{source}: a symmetry operation does not keep the volume; expected signed sums of x, y and z, such as "
            "'-x,y+1/2,-z'"
        )
    translations = np.array([operation.tran for operation in operations])
    rotations, translations = _distinct(rotations // DENOMINATOR, translations)
    missing = _missing_product(rotations, translations)
    if missing is not None:
        raise CrystalError(
            f"{source}: its {len(rotations)} symmetry operations are no group: {missing} follows from them but is not "
            "listed",
            "complete the list, or remove it and state the space group with its setting",
        )
    return _named(rotations, translations)


def _operation(text: str, place: int, source: str) -> gemmi.Op:
    plain = re.sub(r"\s+", "", text).lower()
    if _TRIPLET.fullmatch(plain):
        try:
            return gemmi.Op(plain)
        except (RuntimeError, ValueError, OverflowError):
            pass
    raise CrystalError(
        f"{source}: symmetry operation {place}, {text[:60]!r}, is none; expected a triplet such as '-x,y+1/2,-z'"
    )


def _keep_volume(rotations: np.ndarray) -> bool:
    return bool(np.isclose(np.abs(np.linalg.det(rotations)), 1).all())


def _distinct(rotations: np.ndarray, translations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each operation once, up to lattice vectors, with the identity, which some files leave out."""
    rows = np.concatenate([rotations.reshape(-1, 9), translations % DENOMINATOR], axis=1)
    rows = np.concatenate([[[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]], rows])
    rows = np.array(list(dict.fromkeys(map(tuple, rows.tolist()))))
    return rows[:, :9].reshape(-1, 3, 3), rows[:, 9:]


def _missing_product(rotations: np.ndarray, translations: np.ndarray) -> str | None:
    """Return a product of two operations that is not among them; None when they form a group."""
    n = len(rotations)
    products = np.einsum("nij,mjk->nmik", rotations, rotations).reshape(n * n, 9)
    shifts = np.einsum("nij,mj->nmi", rotations, translations) + translations[:, None]
    rows = np.concatenate([products, shifts.reshape(n * n, 3) % DENOMINATOR], axis=1)
    listed = set(map(tuple, np.concatenate([rotations.reshape(n, 9), translations], axis=1).tolist()))
    absent = next((row for row in map(tuple, rows.tolist()) if row not in listed), None)
    if absent is None:
        return None
    operation = gemmi.Op()
    operation.rot = (np.array(absent[:9]).reshape(3, 3) * DENOMINATOR).clip(-999, 999).tolist()
    operation.tran = list(absent[9:])
    return repr(operation.triplet())


def _named(rotations: np.ndarray, translations: np.ndarray) -> Setting:
    """Return the operations with the symbol of the setting that has them, where the table has it."""
    operations = []
    for rotation, translation in zip(rotations, translations, strict=True):
        operation = gemmi.Op()
        operation.rot, operation.tran = (rotation * DENOMINATOR).tolist(), translation.tolist()
        operations.append(operation)
    named = named_setting(gemmi.GroupOps(operations))
    return Setting(named.symbol, named.number, rotations, translations)
