"""What the documents point at is there: links, sections, files, modules; what code cites is written."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from difsims_core.signal.grid import RadialGrid
from difsims_core.units import electron_wavelength_angstrom, relativistic_factor
from difsims_core.version import __version__
from tests.architecture_picture import PICTURE, picture

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deployments").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_PATH = re.compile(r"`((?:tests|flows|difsims_core|deployments|docs|crystal_files)/[\w./*-]+)`")
_CITATION = re.compile(r"(docs/\w+\.md) §+(\d[\d.]*(?:(?:–|, )§?\d[\d.]*)*)")
_MODULE = re.compile(r"python -m ((?:tests|flows|difsims_core)[\w.]*)")


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> set[str]:
    return {slug(line.lstrip("#")) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")}


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(path):
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_files_and_modules_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    gone = [name for name in _PATH.findall(text) if not any(ROOT.glob(name.rstrip("/")))]
    assert not gone
    assert not [name for name in _MODULE.findall(text) if find_spec(name) is None]


def test_slugs_are_those_of_github():
    assert slug(" §6 Noise: what a counting detector does") == "6-noise-what-a-counting-detector-does"


def test_the_citation_is_of_this_version():
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"] == __version__
    assert citation["license"] == project["license"]


def test_hooks_before_a_commit_are_those_of_the_project():
    """They fetch nothing, and run what is installed."""
    (repo,) = YAML(typ="safe").load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repo["repo"] == "local"
    assert {hook["entry"].split()[0] for hook in repo["hooks"]} == {"ruff", "pyright"}


def test_every_decision_is_listed():
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"}
    assert pages == set(_LINK.findall((ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")))


def test_numbers_of_the_physics_page_are_those_of_the_code():
    text, grid = (ROOT / "docs" / "physics.md").read_text(encoding="utf-8"), RadialGrid()
    q = grid.q[grid.crop]
    stated = [
        f"step = {grid.step_per_angstrom!r} Å⁻¹",
        f"{grid.n_bins} annuli",
        f"{len(q)} points from {float(q[0])!r} to {float(q[-1])!r}",
    ]
    stated += [f"λ({kv} kV) = {electron_wavelength_angstrom(kv):.6f} Å" for kv in (80, 200, 300)]
    stated += [f"({relativistic_factor(200):.5f} at 200 kV)"]
    assert not [number for number in stated if number not in text]


def cited() -> dict[str, set[str]]:
    """Return the sections of each page that code, tests and documents cite, with the files that do."""
    found: dict[str, set[str]] = {}
    for folder in ("difsims_core", "flows", "tests", "docs", "deployments"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".yaml"}:
                for page, sections in _CITATION.findall(path.read_text(encoding="utf-8")):
                    for section in numbers(sections):
                        found.setdefault(f"{page} §{section}", set()).add(path.relative_to(ROOT).as_posix())
    return found


def numbers(text: str) -> list[int]:
    """Return the numbers of a list of sections: ``4–6, 9.3`` are 4, 5, 6 and 9."""
    sections = []
    for part in re.sub(r"[§\s]", "", text).split(","):
        first, _, last = part.partition("–")
        sections += range(int(first.split(".")[0]), int((last or first).split(".")[0]) + 1)
    return sections


def test_sections_that_are_cited_exist():
    written = {
        f"docs/{path.name} §{number}"
        for path in (ROOT / "docs").glob("*.md")
        for number in re.findall(r"^## §(\d+) ", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    citations = cited()
    assert len(citations) > 10
    assert not {section: files for section, files in citations.items() if section not in written}


def test_numbers_of_sections():
    assert numbers("§4–6, §9.3") == [4, 5, 6, 9]


def test_nothing_cites_papers_that_do_not_travel_with_the_code():
    papers = re.compile(r"\b(?:PHYSICS|DESIGN|STYLE|PLATFORM)(?:\.md)? (?:§|principle)")
    folders = (ROOT / folder for folder in ("difsims_core", "flows", "tests", "docs", "deployments"))
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".md", ".yaml", ".j2"}]
    assert not [path for path in files if papers.search(path.read_text(encoding="utf-8"))]


def test_the_picture_is_drawn_from_the_imports():
    """``python -m tests.architecture_picture`` draws it anew."""
    assert PICTURE.read_text(encoding="utf-8") == picture()
