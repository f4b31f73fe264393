"""What the platform takes from its environment, and a Prefect that is quiet and works without a network."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_QUIET_PREFECT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A start takes about 26 s on two cores; Prefect's own limit is 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    # The core's own log belongs to the run that called it; its writer threads know of no run.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "difsims_core",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}


class Settings(BaseSettings):
    """Environment variables ``DIFSIMS_…`` beside ``DIFSIMS_STORE``, which ``open_store`` reads."""

    model_config = SettingsConfigDict(env_prefix="DIFSIMS_", frozen=True, extra="ignore")

    groups_at_once: int = Field(default=1, ge=1, le=256, description="groups of blocks written at once by a local flow")
    blocks_per_group: int = Field(
        default=32, ge=1, description="blocks in one task at least; 32 take about half a minute"
    )


def quieten_prefect(*, verbose: bool = False) -> None:
    """Set the environment that Prefect reads when it is imported; what the user has set stays.

    Parameters
    ----------
    verbose
        Leave Prefect's own log on the terminal.
    """
    for name, value in _QUIET_PREFECT.items():
        os.environ.setdefault(name, value)
    if not verbose:
        # Logs still reach the server; only the copy on the terminal goes.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
