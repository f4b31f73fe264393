"""What can be added to without changing anything: each family with the names and places of its members.

A new member of our own is a file and a line here; one of another package an entry point in the group of the family.
"""

from __future__ import annotations

from typing import Any

from difsims_core.plugins import Family

NETWORKS: Family[Any] = Family(
    "network",
    "difsims.networks",
    {
        "large_filter": "difsims_core.learn.networks.large_filter:large_filter",
        "residual_1d": "difsims_core.learn.networks.residual_1d:residual_1d",
    },
)
POLAR_NETWORKS: Family[Any] = Family(
    "network of polar patterns",
    "difsims.polar_networks",
    {
        "polar_convolutions": "difsims_core.learn.networks.polar.convolutions:polar_convolutions",
        "polar_harmonics": "difsims_core.learn.networks.polar.harmonics:polar_harmonics",
        "polar_radial": "difsims_core.learn.networks.polar.radial_first:polar_radial",
    },
)
METRICS: Family[Any] = Family(
    "metric",
    "difsims.metrics",
    {
        "accuracy": "difsims_core.evaluate.confusion:ACCURACY",
        "brier_score": "difsims_core.evaluate.probability_scores:BRIER_SCORE",
        "calibration_error": "difsims_core.evaluate.probability_scores:CALIBRATION_ERROR",
        "confusion_matrix": "difsims_core.evaluate.confusion:CONFUSION_MATRIX",
        "log_loss": "difsims_core.evaluate.probability_scores:LOG_LOSS",
        "per_class": "difsims_core.evaluate.confusion:PER_CLASS",
    },
    base="difsims_core.evaluate.base:Metric",
)
ENGINES: Family[Any] = Family(
    "engine",
    "difsims.engines",
    {
        "bloch": "difsims_core.diffraction.engines.bloch.engine:BlochEngine",
        "kinematical": "difsims_core.diffraction.engines.kinematical:KinematicalEngine",
    },
    base="difsims_core.diffraction.engines.base:Engine",
)
IMPERFECTIONS: Family[Any] = Family(
    "imperfection", "difsims.imperfections", base="difsims_core.diffraction.imperfections.base:Imperfection"
)
CLASSIFIERS: Family[Any] = Family(
    "classifier",
    "difsims.classifiers",
    {
        "binary_then_multiclass": "difsims_core.learn.classifiers.binary_then_multiclass:BinaryThenMulticlass",
        "ensemble": "difsims_core.learn.classifiers.ensemble:Ensemble",
        "keras_network": "difsims_core.learn.classifiers.keras_network:KerasNetwork",
        "nnls": "difsims_core.learn.classifiers.nnls:NonNegativeLeastSquares",
        "profile_matching": "difsims_core.learn.classifiers.profile_matching:ProfileMatching",
        "templates": "difsims_core.learn.classifiers.templates:TemplateMatching",
    },
)
SCAN_READERS: Family[Any] = Family(
    "format of raw scans",
    "difsims.scan_readers",
    {
        "arina": "difsims_core.experiment.readers.arina:ArinaReader",
        "blockfile": "difsims_core.experiment.readers.blockfile:BlockfileReader",
        "digital_micrograph": "difsims_core.experiment.readers.rosettasciio:DigitalMicrographReader",
        "emd": "difsims_core.experiment.readers.emd:EmdReader",
        "empad": "difsims_core.experiment.readers.empad:EmpadReader",
        "hdf5": "difsims_core.experiment.readers.hdf5:Hdf5Reader",
        "hyperspy": "difsims_core.experiment.readers.hyperspy:HyperspyReader",
        "mib": "difsims_core.experiment.readers.mib:MibReader",
        "mrc": "difsims_core.experiment.readers.mrc:MrcReader",
        "npy": "difsims_core.experiment.readers.npy:NpyReader",
        "panta_rhei": "difsims_core.experiment.readers.rosettasciio:PantaRheiReader",
        "raw": "difsims_core.experiment.readers.raw:RawReader",
        "tia": "difsims_core.experiment.readers.tia:TiaReader",
        "topspin": "difsims_core.experiment.readers.topspin:TopspinReader",
        "tvips": "difsims_core.experiment.readers.tvips:TvipsReader",
    },
    base="difsims_core.experiment.readers.base:ScanReader",
)


def network_family(name: str) -> Family[Any]:
    """Return the family of a network: that of polar patterns, or that of profiles.

    Raises
    ------
    InputError
        If no network has this name.
    """
    if name in POLAR_NETWORKS:
        return POLAR_NETWORKS
    NETWORKS.check(name, others=POLAR_NETWORKS.names())
    return NETWORKS
