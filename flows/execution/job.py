"""The one thing that a run may choose of its process: its time limit. The work pool's template leaves no more open."""

from __future__ import annotations

from typing import Any

HOURS = 72
MOST_HOURS = 100_000  # eleven years: timers have an end too

# A worker of difsims has the command of its own (`flows.stack.services.prefect_worker`); the template is for what the
# server refuses at once, for the form of its pages, and for a worker of Prefect's own that somebody has started.
TEMPLATE: dict[str, Any] = {
    "variables": {
        "type": "object",
        "properties": {
            "hours": {
                "type": "number",
                "title": "Hours",
                "description": "after which a run is ended and failed: TimedOut",
                "default": HOURS,
                "exclusiveMinimum": 0,
                "maximum": MOST_HOURS,
            },
        },
        "additionalProperties": False,
    },
    "job_configuration": {"command": "python -m flows.execution.time_limit --hours {{ hours }}"},
}
