"""What ``difsims simulate`` and ``difsims convert`` do with their documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import console

if TYPE_CHECKING:
    from collections.abc import Callable

    from difsims_core.config.sweep import Sweep


def simulate_document(
    document: Path | None, changes: list[str], store: str | None, session: Callable[..., Any], *, as_json: bool
) -> None:
    """Simulate a document, or every point of its sweep, and print one id a line."""
    from difsims_core.config.sweep import load_sweep
    from difsims_core.dataset.simulate import Simulator
    from difsims_core.resources import specs_folder

    wanted = document or Path("reference.yaml")
    shipped = specs_folder() / wanted
    sweep = load_sweep(shipped if not wanted.exists() and shipped.exists() else wanted, changes)
    Simulator.prepare(sweep.points[0].spec)  # what is wrong with crystals or lists is found before Prefect starts
    ids = _run(sweep, store, session)
    if not as_json:
        for simulation in ids:
            console.show_line(simulation)
        return
    found = [_described(simulation, store) for simulation in ids]
    if sweep.axes:
        console.show_json([{"label": point.label, **one} for point, one in zip(sweep.points, found, strict=True)])
    else:
        console.show_json(found[0])


def _run(sweep: Sweep, store: str | None, session: Callable[..., Any]) -> list[str]:
    first = sweep.points[0].spec
    if not sweep.axes:
        with session("flows.simulate"):
            from flows.simulate import simulate

            return [simulate(first, store)]
    with session("flows.sweep"):
        from flows.sweep import simulate_sweep

        return simulate_sweep(first, sweep.plain_axes, store)


def _described(simulation: str, store: str | None) -> dict[str, Any]:
    from difsims_core.dataset.open import open_simulation
    from difsims_core.storage.objects import open_store

    opened = open_simulation(simulation, open_store(store))
    return {"id": opened.id, "n_patterns": opened.n_patterns, "phases": list(opened.phases)}


def convert_document(old: Path, out: Path | None, *, overwrite: bool, as_json: bool) -> None:
    """Write a document of the old form as one of ours; what there is to say goes to standard error."""
    from difsims_core import __version__
    from difsims_core.config.old_form.convert import convert_document as convert
    from difsims_core.config.old_form.write import write_conversion
    from difsims_core.errors import SpecError

    if out is not None:
        if out.suffix not in (".yaml", ".yml"):
            raise SpecError(f"{out}: expected a name that ends in .yaml: it is YAML that is written")
        if out.exists() and (not overwrite or out.samefile(old)):
            remedy = "choose another name" if overwrite else "choose another name, or --overwrite"
            raise SpecError(f"{out}: exists already; {remedy}")
    conversion = convert(old)
    for finding in conversion.findings:
        console.warn(str(finding))
    text = write_conversion(conversion, __version__)
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SpecError(f"{out}: cannot be written ({error.strerror}); check the folder") from None
    if as_json:
        findings = [{"key": finding.key, "text": finding.text} for finding in conversion.findings]
        points = len(conversion.sweep.points)
        console.show_json(
            {"file": str(out) if out else None, "points": points, "warnings": findings, "document": conversion.document}
        )
    elif out is None:
        console.show_text(text)
    else:
        console.show_line(str(out))
