"""The variables of difsims itself."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from difsims_core.plugins import nearest
from difsims_core.storage.objects import open_store
from difsims_core.storage.trusted_locations import ALSO_READ
from flows.doctor.checks import CheckResult, DoctorContext, check, ok, warn
from flows.settings import Settings, load_settings
from flows.stack.records.environment import MARK

_PREFIX = "DIFSIMS_"
_OTHERS = (ALSO_READ, MARK, "DIFSIMS_VERSION")  # the last two are what `difsims up` tells its processes


@check("settings")
def settings(_context: DoctorContext) -> CheckResult:
    """Look whether every variable can be used; those that are set are named."""
    changed = load_settings().model_dump(exclude_defaults=True)
    return ok(", ".join(f"{name}={value}" for name, value in changed.items()) or "all defaults")


@check("settings: spelling")
def names_of_settings(_context: DoctorContext) -> CheckResult | None:
    """Look for variables that look like settings and are none: a slip of the pen is silent otherwise."""
    known = [*(_PREFIX + name.upper() for name in Settings.model_fields), *_OTHERS]
    strange = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    if not strange:
        return None
    return warn(
        f"{', '.join(strange)}: no such setting",
        "; ".join(f"unset {name}{nearest(name, known)}" for name in strange),
    )


@check("settings: store")
def store(context: DoctorContext) -> CheckResult:
    """Look whether the address of the store can be one."""
    return ok(open_store(context.store).root)


@check("settings: figures", after="settings")
def links_to_figures(context: DoctorContext) -> CheckResult:
    """Look whether the ways to figures fit the store."""
    found = load_settings()
    on_s3 = open_store(context.store).root.startswith("s3://")
    if found.figure_links == "public" and not found.public_url:
        return warn("public, but there is no DIFSIMS_PUBLIC_URL", "set it, or DIFSIMS_FIGURE_LINKS=auto")
    if found.figure_links == "signed" and not on_s3:
        return warn("signed, but a folder has no signed links; figures are put inline", "DIFSIMS_FIGURE_LINKS=auto")
    if found.public_url and urlsplit(found.public_url).scheme not in ("http", "https"):
        return warn(
            f"DIFSIMS_PUBLIC_URL={found.public_url}: not an address for a browser",
            "expected https://host/path of the root",
        )
    return ok(found.figure_links)
