"""The server of the flows' tests."""

from tests.flows.conftest import prefect_server  # noqa: F401
