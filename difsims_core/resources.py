"""Where the files that travel with the package lie: in a checkout at its top level, in a wheel inside the package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent


def package_folder() -> Path:
    """Return the folder of the core's modules."""
    return _PACKAGE


def crystal_folder() -> Path:
    """Return the folder of the shipped CIF files and their ``catalogue.yaml``."""
    return _ROOT / "crystal_files"


def specs_folder() -> Path:
    """Return the folder of the shipped parameter documents."""
    return _ROOT / "deployments" / "specs"


def samples_folder() -> Path:
    """Return the folder of the sample experiments; their truth maps lie in its ``truth`` folder."""
    return _ROOT / "deployments" / "samples"


def deployments_file() -> Path:
    """Return the file of the shipped deployments, in the form of Prefect's ``prefect.yaml``."""
    return _ROOT / "deployments" / "prefect.yaml"
