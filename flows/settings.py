"""What the platform takes from its environment, and a Prefect that is quiet and works without a network."""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from difsims_core.errors import InputError
from difsims_core.storage.npz.limits import MOST, NpzLimits

QUIET_PREFECT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A start takes about 26 s on two cores; Prefect's own limit is 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    # Thirty seconds is the least that Prefect 3.8 allows; the automation of `difsims up` against zombies counts on it.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    # The core's own log belongs to the run that called it; its writer threads know of no run.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "difsims_core",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


_NPZ = NpzLimits()


class SettingsError(InputError):
    """A ``DIFSIMS_…`` variable of the environment cannot be used."""


class Settings(BaseSettings):
    """Environment variables ``DIFSIMS_…``; those of S3 and Prefect keep their own names (``AWS_…``, ``PREFECT_…``)."""

    model_config = SettingsConfigDict(env_prefix="DIFSIMS_", frozen=True, extra="ignore")

    store: str | None = Field(
        default=None, description="root URL of the store: a folder, file:///path or s3://bucket/prefix"
    )
    compute: Literal["threads", "dask"] = Field(
        default="threads", description="where blocks are simulated: in the flow's process, or on a Dask cluster"
    )
    dask_address: str | None = Field(
        default=None, description="scheduler of the Dask cluster, such as tcp://127.0.0.1:8786"
    )
    groups_at_once: int = Field(default=1, ge=1, le=64, description="groups of blocks written at once by a local flow")
    blocks_per_group: int = Field(
        default=32, ge=1, description="blocks in one task at least; 32 take about half a minute"
    )
    simulations_a_machine: int = Field(
        default=0, ge=0, le=256, description="simulations that run at once on one machine, others wait; 0: no limit"
    )
    points_at_once: int = Field(default=4, ge=1, le=256, description="points of a sweep that are submitted at once")
    figure_links: Literal["auto", "inline", "signed", "public"] = Field(
        default="auto",
        description="how figures reach the Prefect UI: within the artifact, by a signed link to the store, or by a "
        "public link below public_url; auto: public when there is a public_url, signed on S3, inline otherwise",
    )
    public_url: str | None = Field(
        default=None, description="http(s) address at which browsers may read the root of the store"
    )
    link_days: int = Field(default=7, ge=1, le=7, description="days that a signed link lasts; S3 allows seven at most")
    intake_tries: int = Field(
        default=3, ge=1, le=100, description="how often an experiment may fail before it is quarantined"
    )
    intake_runs: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="runs of predict and evaluate that the intake has started and not ended; as many of "
        "preprocess beside them",
    )
    intake_memory_mb: int = Field(
        default=16_000, ge=100, lt=MOST, description="megabytes of memory that reading a new experiment may take"
    )
    intake_seconds: int = Field(
        default=300, ge=1, lt=MOST, description="seconds that reading a new experiment may take"
    )
    intake_quiet_seconds: int = Field(
        default=60, ge=0, lt=MOST, description="seconds that a raw scan must not have changed before it is preprocessed"
    )
    npz_array_mb: int = Field(
        default=_NPZ.array_mb, ge=1, lt=MOST, description="megabytes that an array of an npz file may unpack to"
    )
    npz_total_mb: int = Field(
        default=_NPZ.total_mb,
        ge=1,
        lt=MOST,
        description="megabytes that all arrays read from an npz file may unpack to",
    )
    npz_ratio: int = Field(
        default=_NPZ.ratio, ge=1, lt=MOST, description="how many times larger than packed arrays of an npz file may be"
    )
    npz_ratio_from_mb: int = Field(
        default=_NPZ.ratio_from_mb, ge=1, lt=MOST, description="unpacked megabytes up to which no ratio is asked for"
    )
    npz_members: int = Field(default=_NPZ.members, ge=1, lt=MOST, description="arrays that an npz file may hold")

    @model_validator(mode="after")
    def _dask_has_an_address(self) -> Settings:
        if self.compute == "dask" and not self.dask_address:
            raise ValueError("compute is dask, but there is no scheduler; set DIFSIMS_DASK_ADDRESS=tcp://host:8786")
        return self


def load_settings() -> Settings:
    """Return the settings of the environment as it is now.

    Raises
    ------
    SettingsError
        If a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_said(item) for item in error.errors())) from None


def _said(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    name = f"DIFSIMS_{str(item['loc'][0]).upper()}"
    return f"{name}={item['input']!r}: {message}; correct the variable or unset it"


def quieten_prefect(*, verbose: bool = False) -> None:
    """Set the environment that Prefect reads when it is imported; what the user has set stays.

    Parameters
    ----------
    verbose
        Leave Prefect's own log on the terminal.
    """
    for name, value in QUIET_PREFECT.items():
        os.environ.setdefault(name, value)
    if not verbose:
        # Logs still reach the server; only the copy on the terminal goes.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    quieten_tensorflow(verbose=verbose)


def quieten_tensorflow(*, verbose: bool = False) -> None:
    """Set the environment that TensorFlow reads when it is imported, unless its log is wanted."""
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
