"""Crystal files as different hands and programs write them: one structure, many styles (CIF 1.1, core dictionary)."""

from dataclasses import dataclass
from random import Random

import numpy as np

from tests.oracles.cif_numbers import number_text, triplet_text
from tests.oracles.crystal_sites import Site, Structure, axes_of

_CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_OXIDATION = {"Pb": "Pb2+", "Na": "Na+", "O": "O2-", "I": "I1-", "Ti": "Ti4+", "C": "C0+", "Cl": "Cl-"}
_EXTRA = {"calc_flag": "d", "refinement_flags": ".", "disorder_group": ".", "site_symmetry_order": "?"}
_COMMENTS = ("# written by hand", "#", "# loop_ _atom_site_label 'quoted", "# Å, µ, ±")


@dataclass(frozen=True, slots=True)
class Symmetry:
    """What a file says of its symmetry; empty or ``None`` where it is silent."""

    operations: tuple[str, ...] = ()
    hall: str | None = None
    symbol: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is written.

    Attributes
    ----------
    labels : ``usual``, ``awkward``, ``unknown`` or ``absent``
    types : ``plain``, ``charged`` or ``absent``
    occupancies : ``written``, ``unknown`` (where it is 1) or ``absent``
    displacements : ``none``, ``u``, ``b``, ``tensor`` or ``u and tensor``
    encoding, newline, tag_case : of the file
    modern : names of the newer dictionary, ``_space_group_…``
    looped : whether a single operation or site still stands in a loop
    surroundings : comments, blank lines, text fields, other columns and another block
    free_numbers : standard uncertainties, exponents, missing zeros
    seed : of all small choices: order of columns, white space, quotes
    """

    labels: str = "usual"
    types: str = "plain"
    occupancies: str = "written"
    displacements: str = "none"
    encoding: str = "utf-8"
    newline: str = "\n"
    tag_case: str = "lower"
    modern: bool = False
    looped: bool = True
    surroundings: bool = False
    free_numbers: bool = False
    seed: int = 0


def write_cif(structure: Structure, symmetry: Symmetry, style: Style = Style()) -> bytes:
    """Return the bytes of a file that holds the structure, whose coordinates must be rounded to their decimals."""
    return _Writer(structure, symmetry, style).file()


class _Writer:
    def __init__(self, structure: Structure, symmetry: Symmetry, style: Style):
        self.structure, self.symmetry, self.style = structure, symmetry, style
        self.random = Random(style.seed)  # noqa: S311 - a handwriting, not a secret

    def file(self) -> bytes:
        parts = [self.cell(), self.names(), self.operations(), self.sites(), self.tensors()]
        if self.style.surroundings:
            self.random.shuffle(parts)
            parts = [
                *parts[:2],
                ["_publ_section_comment", ";", "loop_ of 'free' text", "_cell_length_a 3", ";"],
                *parts[2:],
            ]
        lines = [self.keyword("data_crystal"), *(line for part in parts for line in part)]
        if self.style.surroundings:
            lines = ["#\\#CIF_1.1", "data_global", "_journal_year 1999", *self.with_comments(lines), ""]
        return (self.style.newline.join(lines) + self.style.newline).encode(self.style.encoding)

    def with_comments(self, lines: list[str]) -> list[str]:
        inside, found = False, []
        for line in lines:
            inside ^= line == ";"
            if not inside and line != ";" and self.random.random() < 0.1:
                found.append(self.random.choice(["", "   ", *_COMMENTS]))
            found.append(line)
        return found

    def tag(self, name: str) -> str:
        return {"lower": name, "upper": name.upper(), "mixed": name.title()}[self.style.tag_case]

    def keyword(self, word: str) -> str:
        return word if self.style.tag_case == "lower" else word.upper()

    def quoted(self, text: str) -> str:
        """Quote what needs it, and half of what does not; a quote inside a word is a letter like any other."""
        bare = text != "" and not set(text) & set(" \t") and text[0] not in "_#$[];'\""
        if text == "?" or (bare and self.random.random() < 0.5):
            return text
        marks = [mark for mark in "'\"" if mark not in text]
        return (mark := self.random.choice(marks)) + text + mark

    def number(self, value: float, decimals: int) -> str:
        return number_text(value, decimals, self.random if self.style.free_numbers else None)

    def pair(self, name: str, value: str) -> str:
        space = self.random.choice([" ", "\t", "    "]) if self.style.surroundings else " "
        return f"{self.tag(name)}{space}{value}"

    def table(self, columns: dict[str, list[str]]) -> list[str]:
        names = list(columns)
        if self.style.surroundings:
            self.random.shuffle(names)
        rows = list(zip(*(columns[name] for name in names), strict=True))
        if len(rows) == 1 and not self.style.looped:
            return [self.pair(name, value) for name, value in zip(names, rows[0], strict=True)]
        between = "  " if self.style.surroundings else " "
        return [self.keyword("loop_"), *map(self.tag, names), *(between.join(row) for row in rows)]

    def cell(self) -> list[str]:
        values = zip(_CELL_TAGS, self.structure.cell, strict=True)
        return [self.pair(f"_cell_{name}", self.number(value, 5)) for name, value in values]

    def names(self) -> list[str]:
        said, modern = self.symmetry, self.style.modern
        found = []
        if said.number is not None:
            tag = "_space_group_IT_number" if modern else "_symmetry_Int_Tables_number"
            found.append(self.pair(tag, str(said.number)))
        if said.symbol is not None:
            tag = "_space_group_name_H-M_alt" if modern else "_symmetry_space_group_name_H-M"
            found.append(self.pair(tag, self.quoted(said.symbol)))
        if said.hall is not None:
            tag = "_space_group_name_Hall" if modern else "_symmetry_space_group_name_Hall"
            found.append(self.pair(tag, self.quoted(said.hall)))
        self.random.shuffle(found)
        return found

    def operations(self) -> list[str]:
        if not self.symmetry.operations:
            return []
        family = "_space_group_symop" if self.style.modern else "_symmetry_equiv_pos"
        name = f"{family}_{'operation_xyz' if self.style.modern else 'as_xyz'}"
        form = self.random.randrange(5) if self.style.free_numbers else 0
        columns = {name: [self.quoted(triplet_text(triplet, form)) for triplet in self.symmetry.operations]}
        if self.style.surroundings:
            identifier = f"{family}_{'id' if self.style.modern else 'site_id'}"
            columns[identifier] = [str(i + 1) for i in range(len(self.symmetry.operations))]
        return self.table(columns)

    def label(self, index: int) -> str:
        element = self.structure.sites[index].element
        return {"awkward": f"{element}{index + 1}A'", "unknown": "?"}.get(self.style.labels, f"{element}{index + 1}")

    def sites(self) -> list[str]:
        sites, style = self.structure.sites, self.style
        columns: dict[str, list[str]] = {}
        if style.labels != "absent":
            columns["label"] = [
                self.label(i) if style.labels == "unknown" else self.quoted(self.label(i)) for i in range(len(sites))
            ]
        if style.types != "absent":
            columns["type_symbol"] = [_OXIDATION[s.element] if style.types == "charged" else s.element for s in sites]
        for axis, name in enumerate("xyz"):
            columns[f"fract_{name}"] = [self.number(site.position[axis], site.decimals) for site in sites]
        if style.occupancies != "absent":
            columns["occupancy"] = [self.occupancy(site) for site in sites]
        columns |= self.isotropic(sites)
        if style.surroundings:
            columns |= {name: [value] * len(sites) for name, value in _EXTRA.items() if self.random.random() < 0.5}
        return self.table({f"_atom_site_{name}": values for name, values in columns.items()})

    def occupancy(self, site: Site) -> str:
        if site.occupancy == 1 and self.style.occupancies == "unknown":
            return self.random.choice("?.")
        return self.number(site.occupancy, 4)

    def isotropic(self, sites: tuple[Site, ...]) -> dict[str, list[str]]:
        kind = self.style.displacements
        if kind in ("u", "u and tensor"):
            return {"U_iso_or_equiv": [self.number(site.u_iso, 5) for site in sites]}
        if kind == "b":
            return {"B_iso_or_equiv": [f"{8 * np.pi**2 * site.u_iso:.9f}" for site in sites]}
        return {}

    def tensors(self) -> list[str]:
        """An isotropic displacement as a tensor: U^ij = U a*_i·a*_j / |a*_i||a*_j|."""
        if "tensor" not in self.style.displacements:
            return []
        reciprocal = np.linalg.inv(axes_of(self.structure.cell)).T
        unit = reciprocal / np.linalg.norm(reciprocal, axis=1)[:, None]
        cosines, sites = unit @ unit.T, self.structure.sites
        columns = {"_atom_site_aniso_label": [self.quoted(self.label(i)) for i in range(len(sites))]}
        for name, (i, j) in {
            "11": (0, 0),
            "22": (1, 1),
            "33": (2, 2),
            "12": (0, 1),
            "13": (0, 2),
            "23": (1, 2),
        }.items():
            columns[f"_atom_site_aniso_U_{name}"] = [f"{site.u_iso * cosines[i, j]:.10f}" for site in sites]
        return self.table(columns)
