"""What is installed, compared with what the package requires; ``pyproject.toml`` gives the reasons for its bounds."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn

_EXTRAS = ("dask", "up")  # those of users; the others are for tests


@check("packages")
def packages(_context: DoctorContext) -> CheckResult:
    """Look whether all that difsims requires is installed, in versions that it works with."""
    try:
        stated = [Requirement(text) for text in requires("difsims") or ()]
    except PackageNotFoundError:
        return warn("difsims runs from a folder of sources, its requirements are unknown", "install it: pip install .")
    problems = {item: problem for item in stated if (problem := problem_of(item))}
    if problems:
        wanted = " ".join(f'"{item.name}{item.specifier}"' for item in problems)
        return fail("; ".join(problems.values()), f"pip install {wanted}")
    return ok("all are installed, in versions that difsims works with")


def problem_of(requirement: Requirement) -> str | None:
    """Return why what is installed does not meet a requirement; that of an extra may be missing, not too old."""
    marker = requirement.marker
    required = marker is None or marker.evaluate({"extra": ""})
    if marker and not required and not any(marker.evaluate({"extra": extra}) for extra in _EXTRAS):
        return None
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing" if required else None
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} {found} is installed, expected {requirement.specifier}"
