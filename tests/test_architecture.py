"""The floors hold: imports run one way, heavy libraries stay where they belong, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "difsims_core"
FILES = sorted([*CORE.rglob("*.py"), *(ROOT / "flows").rglob("*.py")])

# A folder imports from folders of lower floors, and from its own.
FLOOR = {
    "flows": 8, "ledger": 7, "learn": 6, "dataset": 5, "evaluate": 5, "diffraction": 4, "experiment": 4, "augment": 3,
    "crystal": 3, "signal": 3, "storage": 2, "config": 1, "kernels": 0, "": 0,
}  # fmt: skip
# The same floor, but one needs the other: classification measures what a trained network says of held-out data.
SAME_FLOOR_NEVER = {("dataset", "evaluate"), ("evaluate", "dataset")}

HEAVY = {
    "prefect": lambda path: path.parts[0] == "flows",
    "tensorflow": lambda path: "learn" in path.parts or path.as_posix() == "difsims_core/dataset/loader.py",
    "keras": lambda path: "learn" in path.parts,
    "dask": lambda path: path.parts[0] == "flows",
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


def imports_of(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folder_of(module: str) -> str | None:
    """Return the folder of one of our modules; files at the top of the core count as the ground."""
    parts = module.split(".")
    if parts[0] == "flows":
        return "flows"
    if parts[0] != "difsims_core":
        return None
    return parts[1] if len(parts) > 1 and (CORE / parts[1]).is_dir() else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_run_downwards_and_files_stay_small(path):
    relative = path.relative_to(ROOT)
    own = "flows" if relative.parts[0] == "flows" else relative.parts[1] if len(relative.parts) > 2 else ""
    for module in imports_of(path):
        allowed = HEAVY.get(module.split(".")[0])
        assert allowed is None or allowed(relative), f"{relative} imports {module}"
        target = folder_of(module)
        if target is None or target == own or relative.name == "__init__.py":
            continue
        assert FLOOR[target] <= FLOOR[own], f"{relative} imports {module} from a higher floor"
        assert (own, target) not in SAME_FLOOR_NEVER, f"{relative} imports {module}"
        assert own != "kernels", f"{relative} imports {module}; kernels import nothing of ours"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES


def test_every_folder_has_a_floor():
    folders = {path.name for path in CORE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders <= set(FLOOR)


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
def test_simulating_loads_no_tensorflow_prefect_or_matplotlib_pyplot(name):
    code = (
        f"import sys, difsims_core; difsims_core.{name}\n"
        "heavy = {'tensorflow', 'keras', 'prefect'}\n"
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
        ".gitattributes", "difsims_core", "flows", "deployments", "crystal_files", "tests",
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
