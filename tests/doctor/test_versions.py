"""What is installed is compared with what the package requires."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement

from flows.doctor import versions
from flows.doctor.checks import DoctorContext

STATED = [
    "fastapi<0.151,>=0.139",
    "sqlalchemy[asyncio]<2.1,>=2.0",
    'dask>=2026.1; extra == "dask"',
    'pytest>=9; extra == "test"',
    'pywin32>=300; sys_platform == "win32"',
]
GOOD = {"fastapi": "0.150.9", "sqlalchemy": "2.0.58", "dask": "2026.3.0", "pytest": "9.1"}


@pytest.fixture
def found(monkeypatch):
    """Return a function that looks at such installed versions, in place of those of this machine."""

    def look(installed: dict[str, str]):
        def version(name: str) -> str:
            if name not in installed:
                raise PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(versions, "version", version)
        monkeypatch.setattr(versions, "requires", lambda _name: STATED)
        return versions.packages(DoctorContext())

    return look


def test_versions_within_the_bounds_are_well(found):
    assert found(GOOD).status == "ok"
    assert found({name: GOOD[name] for name in ("fastapi", "sqlalchemy")}).status == "ok", "extras may be missing"
    assert found(GOOD | {"pytest": "1.0"}).status == "ok", "what tests need is nothing to users"


@pytest.mark.parametrize(
    ("change", "words", "remedy"),
    [
        ({"fastapi": "0.155.0"}, "fastapi 0.155.0 is installed, expected <0.151,>=0.139", '"fastapi<0.151,>=0.139"'),
        ({"sqlalchemy": "2.1.0b1"}, "sqlalchemy 2.1.0b1", '"sqlalchemy<2.1,>=2.0"'),
        ({"dask": "2025.1"}, "dask 2025.1 is installed, expected >=2026.1", '"dask>=2026.1"'),
    ],
)
def test_a_version_outside_the_bounds_fails_with_the_command_that_helps(found, change, words, remedy):
    result = found(GOOD | change)
    assert result.status == "fail"
    assert words in result.found
    assert result.remedy == f"pip install {remedy}"


def test_a_missing_package_fails(found):
    result = found({name: number for name, number in GOOD.items() if name != "fastapi"})
    assert (result.status, result.found) == ("fail", "fastapi is missing")


def test_without_an_installed_package_nothing_can_be_compared(monkeypatch):
    def requires(name: str):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(versions, "requires", requires)
    assert versions.packages(DoctorContext()).status == "warn"


def test_here_everything_is_as_required():
    assert versions.problem_of(Requirement("numpy>=2.1")) is None
    assert versions.problem_of(Requirement("numpy<2")) is not None
