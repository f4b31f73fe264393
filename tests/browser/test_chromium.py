"""Without a browser the tests here are skipped, and fail where CI is set: there they must run."""

from __future__ import annotations

import pytest

from tests.browser import chromium


def test_a_missing_browser_is_no_silent_pass_in_ci(monkeypatch):
    monkeypatch.setattr(chromium.shutil, "which", lambda _name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="chromium"):
        chromium.chromium_binary()
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="chromium"):
        chromium.chromium_binary()
