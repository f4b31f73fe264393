"""The floors hold: imports run one way, heavy libraries stay where they belong, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import difsims_core

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "difsims_core"
FILES = sorted([*CORE.rglob("*.py"), *(ROOT / "flows").rglob("*.py")])

# A room imports from rooms of lower floors and from itself, and from no other room of its own floor.
FLOOR = {
    "flows/cli": 17, "flows": 16, "flows/commands": 15, "flows/doctor": 14, "flows/stack": 13, "flows/execution": 12,
    "flows/ui": 11, "results": 9, "housekeeping": 9, "models": 8, "scans": 7, "learn": 6, "dataset": 5, "experiment": 5,
    "evaluate": 4, "simulation": 4, "diffraction": 3, "augment": 2, "crystal": 2, "signal": 2,
    "config": 1, "storage": 1, "kernels": 0, "": 0,
}  # fmt: skip
GROUND_OF_FLOWS = "flows/settings"  # settings.py: below the rooms of flows, above the core

HEAVY = {
    "prefect": lambda path: path.parts[0] == "flows",
    "tensorflow": lambda path: "learn" in path.parts,
    "keras": lambda path: "learn" in path.parts,
    "dask": lambda path: path.parts[0] == "flows" or "experiment" in path.parts,
    "rsciio": lambda path: "experiment" in path.parts or "maps" in path.parts,
    "hdf5plugin": lambda path: "experiment" in path.parts,
    "distributed": lambda path: path.parts[0] == "flows",
    "fsspec": lambda path: "storage" in path.parts,
    "s3fs": lambda path: "storage" in path.parts,
    "obstore": lambda path: "storage" in path.parts,
    "boto3": lambda path: "storage" in path.parts,
    "botocore": lambda path: "storage" in path.parts,
    "aiobotocore": lambda path: "storage" in path.parts,
    "matplotlib": lambda path: "evaluate" in path.parts,
}
LINES = 300
MODULES = 16


def imports_of(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """Return the room of one of our modules; files at the top of the core are the ground."""
    top, *parts = module.split(".")
    if module == "flows":  # where the folder lies
        return None
    if top == "flows":
        if parts[:1] == ["settings"]:
            return GROUND_OF_FLOWS
        return f"flows/{parts[0]}" if parts and (ROOT / "flows" / parts[0]).is_dir() else "flows"
    if top != "difsims_core":
        return None
    return parts[0] if parts and (CORE / parts[0]).is_dir() else ""


def floor_of(room: str) -> int:
    return 10 if room == GROUND_OF_FLOWS else FLOOR[room]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_run_downwards_and_files_stay_small(path):
    relative = path.relative_to(ROOT)
    own = room_of(".".join(relative.with_suffix("").parts))
    assert own is not None
    for module in imports_of(path):
        allowed = HEAVY.get(module.split(".")[0])
        assert allowed is None or allowed(relative), f"{relative} imports {module}"
        target = room_of(module)
        if target is None or target == own or path == CORE / "__init__.py":
            continue
        assert floor_of(target) < floor_of(own) or target == "" == own, f"{relative} imports {module}, no lower floor"
        assert own != "kernels", f"{relative} imports {module}; kernels import nothing of ours"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_imports_the_face(path):
    """``difsims_core/__init__.py`` is for users: what is inside imports from where a thing is defined."""
    if path != CORE / "__init__.py":
        from_face = {f"difsims_core.{name}" for name in difsims_core.__all__} | {"difsims_core"}
        assert not from_face.intersection(imports_of(path))


def test_every_room_has_a_floor():
    rooms = {path.name for path in CORE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    rooms |= {f"flows/{path.name}" for path in (ROOT / "flows").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= set(FLOOR)


def test_no_folder_has_more_modules_than_one_looks_over():
    folders = {path.parent for path in FILES}
    counts = {folder: len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) for folder in folders}
    assert not {folder: count for folder, count in counts.items() if count > MODULES}


def test_no_module_imports_itself_by_a_circle():
    """Imports of types count too: two files that need each other are one."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    needs = {
        name: {part for found in imports_of(path) if (part := _module_in(found, names)) and part != name}
        for name, path in names.items()
        if path != CORE / "__init__.py"
    }
    circles = list(_circles(needs))
    assert not circles, " · ".join(" → ".join(circle) for circle in circles)


def _module_in(found: str, names: dict[str, Path]) -> str | None:
    """Return which of our modules an imported name is or lies in."""
    while found:
        if found in names:
            return found
        found = found.rpartition(".")[0]
    return None


def _circles(needs: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield the circles that a search in depth meets."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield [*way[way.index(name) :], name]
        elif name not in done:
            for other in sorted(needs.get(name, ())):
                yield from visit(other, [*way, name])
            done.add(name)

    for name in sorted(needs):
        yield from visit(name, [])


def test_importing_the_core_is_light():
    """Neither TensorFlow nor Prefect nor matplotlib, nor any network library."""
    code = (
        "import sys, difsims_core, difsims_core.config.documents, difsims_core.errors\n"
        "heavy = {'tensorflow', 'keras', 'prefect', 'matplotlib', 's3fs', 'numba', 'zarr'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["SimulationSpec", "load_spec", "simulate", "open_simulation", "radial_profiles"])
def test_what_simulates_loads_nothing_that_takes_longer_than_it(name):
    code = (
        f"import sys, difsims_core; difsims_core.{name}\n"
        "heavy = {'tensorflow', 'keras', 'prefect', 'orix', 'diffsims', 'matplotlib', 'dask', 'pandas', 'xarray'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_top_level_is_as_agreed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert top <= {
        "pyproject.toml", "README.md", "LICENSE", "constraints.txt", "CHANGELOG.md", ".ci", ".gitignore",
        ".gitattributes", "difsims_core", "flows", "deployments", "crystal_files", "tests", "docs",
        "CONTRIBUTING.md", "CITATION.cff", ".pre-commit-config.yaml",
    }  # fmt: skip


def test_project_names_no_registry_hosts_or_secrets():
    """Versions come without addresses; no key of an object store is written down."""
    hosts = ["py" + "pi.org", "python" + "hosted", "AK" + "IA"]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for line in tracked.splitlines():
        path = ROOT / line
        if (
            path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cif", ".html", ".j2", ""}
            and path.is_file()
        ):
            text = path.read_text(encoding="utf-8")
            assert not [host for host in hosts if host in text], line
