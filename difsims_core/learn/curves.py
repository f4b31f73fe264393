"""Learning curves as TensorBoard reads them.

Event files are written with TensorFlow alone; the package ``tensorboard`` is needed only by whoever looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from difsims_core.learn.backend import tf

FOLDER = "tensorboard"
_RUNS = {"train": ("loss", "accuracy", "samples_per_second"), "validation": ("val_loss", "val_accuracy")}


def write_curves(folder: Path, history: Iterable[Mapping[str, Any]]) -> dict[str, Path]:
    """Write the curves of a training below a local folder; return the files by their names in a model's folder."""
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    for run, names in _RUNS.items():
        writer = tf.summary.create_file_writer(str(folder / run))
        with writer.as_default():
            for epoch in history:
                for name in names:
                    value = tf.constant(epoch[name], tf.float32)
                    tf.summary.write(name.removeprefix("val_"), value, step=epoch["epoch"], metadata=metadata)
        writer.close()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f"{FOLDER}/{path.relative_to(folder).as_posix()}": path for path in files}
