"""The limit to a flow run's time; that it ends a real run is shown with a whole stack (`tests/stack`)."""

from __future__ import annotations

import sys

import pytest

from flows.execution import time_limit


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "1e300", "a day"])
def test_hours_that_are_none_are_refused_before_anything_runs(hours, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["time_limit", f"--hours={hours}"])
    with pytest.raises(SystemExit, match="2"):
        time_limit.main()
    assert hours in capsys.readouterr().err
