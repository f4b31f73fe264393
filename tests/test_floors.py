"""The least versions that are installed are those whose published flaws are mended, and the tested ones are above."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [
    Requirement(text) for text in (*PROJECT["dependencies"], *(item for extra in EXTRAS.values() for item in extra))
]
TESTED = {
    canonicalize_name(name): version
    for name, _, version in (
        line.partition("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    )
}
# The first versions without flaws that a file, a request or an answer made for it reaches.
MENDED = {
    "aiohttp": "3.14.3",
    "distributed": "2026.1.0",
    "filelock": "3.20.3",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "keras": "3.15.1",
    "pillow": "12.3.0",
    "starlette": "1.3.1",
    "tornado": "6.5.7",
    "urllib3": "2.7.0",
}


@pytest.mark.parametrize("name", MENDED)
def test_nothing_below_a_mended_version_may_be_installed(name):
    floors = [
        spec.version for item in REQUIRED if item.name == name for spec in item.specifier if spec.operator == ">="
    ]
    assert floors
    assert all(Version(floor) >= Version(MENDED[name]) for floor in floors)


def test_the_tested_versions_are_allowed():
    left = {item.name for item in REQUIRED if canonicalize_name(item.name) not in TESTED}
    assert left <= {"abtem"}  # of the extra that nobody needs but to make references anew
    for item in REQUIRED:
        tested = TESTED.get(canonicalize_name(item.name))
        assert tested is None or item.specifier.contains(tested), f"{item}, tested with {tested}"


def test_what_is_installed_is_allowed():
    for text in PROJECT["dependencies"]:
        item = Requirement(text)
        assert item.specifier.contains(metadata.version(item.name)), f"{item}, found {metadata.version(item.name)}"
