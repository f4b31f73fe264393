"""Parameters of a deployment that cannot be: refused before a run exists, with the field and the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import DeploymentFlowRunAnswer
