"""``difsims phases`` and ``difsims orientations``: crystals, how their files are read, and grids over their zones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difsims_core.unit_names import GridMethod
from flows.cli.command_group import FAILED
from flows.cli.options import Json

if TYPE_CHECKING:
    from difsims_core.crystal.describe import CrystalDescription


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: difsims phases my_crystals --json")(phases)
    app.command(epilog="Example: difsims orientations pbi2_2h --resolution 3 -o orientations_pbi2_2h.npy")(orientations)


def phases(
    crystals: Annotated[
        list[str] | None, typer.Argument(metavar="[FOLDER|FILE…]", help="Crystal files, folders of them, or names.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the phases that come along, or show how crystal files are read; ends with 1 when one cannot be."""
    if not crystals:
        _show_catalogue(as_json=as_json)
        return
    from difsims_core.crystal.describe import describe_crystal
    from difsims_core.errors import DifsimsError
    from flows.cli import console

    found: list[CrystalDescription] = []
    failed = False
    for source in _files(crystals):
        try:
            found.append(describe_crystal(source))
        except DifsimsError as error:
            failed = True
            console.fail(str(error))
    if as_json:
        console.show_json([asdict(item) for item in found])
    else:
        for item in found:
            _show(item)
    if failed:
        raise typer.Exit(FAILED)


def orientations(
    phase: Annotated[str, typer.Argument(metavar="PHASE", help="Name of a phase, or a crystal file.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE.npy", help="File to write.")],
    resolution: Annotated[float, typer.Option(min=0.5, max=60, metavar="DEGREES", help="Distance of neighbours.")] = 3,
    method: Annotated[GridMethod, typer.Option(help="Of orix.")] = "cubochoric",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.npy when it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a list of orientations over the fundamental zone of a phase, for ``orientations: {kind: list}``."""
    from difsims_core.crystal.orientations import write_orientations
    from difsims_core.crystal.phases import as_crystal
    from flows.cli import console

    rows = write_orientations(as_crystal(phase).structure, out, method, resolution, overwrite=force)
    if as_json:
        console.show_json({"file": out, "orientations": rows})
        return
    console.tell(f"{rows:,} orientations of {phase}, unit quaternions")
    console.show_line(out)


def _files(crystals: list[str]) -> list[str]:
    """Return the crystal files that folders stand for, and everything else as it is."""
    from difsims_core.crystal.catalogue import crystal_files

    files: list[str] = []
    for item in crystals:
        is_folder = item.endswith("/") or ("://" not in item and Path(item).is_dir())
        files += crystal_files(item) if is_folder else [item]
    return files


def _show_catalogue(*, as_json: bool) -> None:
    """Show what comes along, without what it takes to simulate it: this is to be quick."""
    from difsims_core.crystal.catalogue import list_catalogue
    from difsims_core.crystal.cif.reader import read_structure
    from difsims_core.crystal.plausible import density
    from difsims_core.resources import crystal_folder
    from flows.cli import console

    rows = []
    for entry in list_catalogue():
        structure = read_structure((crystal_folder() / entry.file).read_bytes(), entry.file)
        read = {"cell_as_read": structure.atoms.formula, "density_g_per_cm3": density(structure)}
        rows.append(asdict(entry) | read | {"warnings": list(structure.warnings)})
    if as_json:
        console.show_json(rows)
        return
    shown = [{**row, "cell as read": row["cell_as_read"], "g/cm³": f"{row['density_g_per_cm3']:.2f}"} for row in rows]
    console.show_table("phases", shown, ("name", "formula", "space_group", "cell as read", "g/cm³", "title"))
    console.show_line("difsims phases NAME, FILE or FOLDER says more of each")


def _show(item: CrystalDescription) -> None:
    from flows.cli import console

    number = f" (No. {item.space_group_number})" if item.space_group_number else ""
    lengths, angles = " ".join(f"{v:g}" for v in item.cell[:3]), " ".join(f"{v:g}" for v in item.cell[3:])
    lines = ", ".join(
        f"{line.d_angstrom:.4g} Å ({' '.join(map(str, line.hkl))}) {line.intensity:.0f} %" for line in item.lines
    )
    console.show_line(f"{item.name}  {item.source}")
    console.show_line(f"  as read      {item.formula}, {item.atoms} positions")
    console.show_line(f"  file says    {item.stated_formula or 'no formula'}")
    console.show_line(f"  space group  {item.space_group}{number}, {item.operations} operations")
    console.show_line(f"  cell         {lengths} Å, {angles}°, {item.volume_angstrom3:.5g} Å³")
    console.show_line(f"  density      {item.density_g_per_cm3:.3g} g/cm³")
    console.show_line(f"  strongest    {lines}")
    for warning in item.warnings:
        console.warn(f"{item.name}: {warning}")
