"""A model as a file for other programs: Keras' own format. Nothing here ever reads one."""

from __future__ import annotations

from pathlib import Path

from difsims_core.errors import InputError
from difsims_core.learn.bundle import ModelBundle
from difsims_core.storage.objects import exists_already, object_exists, write_url
from difsims_core.storage.temporary_files import temporary_folder

ENDING = ".keras"


def export_keras(bundle: ModelBundle, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the network of a model as a ``.keras`` file, whole or not at all.

    Parameters
    ----------
    bundle
        The model.
    path
        Path or URL; ends with ``.keras``.
    overwrite
        Replace what is there.

    Raises
    ------
    InputError
        If the name ends otherwise, or is there already.
    CorruptDataError, ModelError
        If the model is none of Keras, or cannot be used (`ModelBundle.classifier`).
    """
    if not str(path).endswith(ENDING):
        raise InputError(f"{path}: expected a name that ends with {ENDING}, as a model is exported in Keras' format")
    if not overwrite and object_exists(path):
        raise exists_already(path)
    with temporary_folder() as folder:
        local = folder / f"model{ENDING}"
        bundle.classifier.export(local)
        write_url(path, local.read_bytes())
