"""Which groups of expensive tests a run needs: those whose subject has changed, and from time to time all of them.

The groups start whole services, kill them or look at them through a browser; everything else runs every time. A group
runs when a file that it tests has changed, and all of them run when the number of commits is divisible by five, when
the history says nothing, or when somebody asks (``DIFSIMS_TESTS=all``). Changed is what differs

- from the newest ancestor that is more than `RECENT_HOURS` older than the newest commit: a submission is many commits,
  and nothing in the history says where it began;
- from the point where this branch left the main branch of its remote, if it has one;
- from the newest commit, in the working tree.

So each change is tested by its groups when it comes, and a change whose group nobody thought of by the next full run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

FULL_EVERY = 5  # commits
RECENT_HOURS = 3
_GIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that run when what they test has changed.

    Attributes
    ----------
    name : str
        Also the marker that puts single tests of other folders into the group.
    subjects : tuple of str
        Files, and folders with a slash at the end, relative to the top of the repository.
    """

    name: str
    subjects: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its tests lie."""
        return f"tests/{self.name}/"

    def tests(self, path: str) -> bool:
        """Return whether a file is one that the group tests, or one of its tests."""
        own = (*self.subjects, self.folder)
        return any(path.startswith(subject) if subject.endswith("/") else path == subject for subject in own)


# What every group stands on: the versions of everything, and how tests are run.
_GROUND = ("pyproject.toml", "constraints.txt", ".ci/", "tests/conftest.py", "tests/selection.py", "tests/services.py")
_STACK = ("flows/stack/", "flows/cli/up.py", "flows/settings.py", "tests/stack_service.py")
_RESUMED = (
    "difsims_core/dataset/", "difsims_core/storage/", "flows/execution/", "flows/simulate.py", "flows/settings.py",
)  # fmt: skip

GROUPS = (
    Group("stack", (*_GROUND, *_STACK, "flows/")),
    Group("kill", (*_GROUND, *_STACK, *_RESUMED, "tests/dask_service.py", "tests/faults/test_store_killed.py")),
    Group("production", (*_GROUND, *_STACK, "difsims_core/storage/s3/", "flows/execution/", "deployments/")),
    Group("browser", (*_GROUND, "flows/stack/", "flows/ui/", "flows/doctor/", "flows/settings.py", "flows/pipeline.py",
                      "difsims_core/evaluate/", "difsims_core/results/")),
    Group("faults", (*_GROUND, *_RESUMED, "tests/fault_proxy.py")),
)  # fmt: skip
ALL = frozenset(group.name for group in GROUPS)


@dataclass(frozen=True, slots=True)
class History:
    """What git says of a checkout.

    Attributes
    ----------
    commits : int or None
        How many the newest commit rests on, itself included; None: not known, as in a shallow clone or without git.
    changed : frozenset of str
        Files that have changed lately, relative to the top of the repository.
    """

    commits: int | None
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which groups run, and why.

    Attributes
    ----------
    groups : frozenset of str
        Those that run.
    reason : str
        What decided it, as a line for people.
    full : bool
        Whether every case is tried, too; that all groups happen to be concerned by a change is no reason.
    """

    groups: frozenset[str]
    reason: str
    full: bool = False

    @property
    def skipped(self) -> frozenset[str]:
        """Those that do not run."""
        return ALL - self.groups


def select(history: History, wanted: str = "") -> Selection:
    """Return which groups run, by the history and by what somebody asks for (``all``, or nothing)."""
    if wanted == "all":
        return Selection(ALL, "all tests: asked for", full=True)
    if history.commits is None:
        return Selection(ALL, "all tests: the history of this checkout is not known", full=True)
    if history.commits % FULL_EVERY == 0:
        return Selection(ALL, f"all tests: commit {history.commits} is divisible by {FULL_EVERY}", full=True)
    groups = frozenset(group.name for group in GROUPS if any(map(group.tests, history.changed)))
    return Selection(groups, f"commit {history.commits}, {len(history.changed)} files changed lately")


def belongs_to(path: str, markers: Collection[str]) -> frozenset[str]:
    """Return the groups of a test, by its file and its markers; a test of none runs every time."""
    return frozenset(group.name for group in GROUPS if group.name in markers or path.startswith(group.folder))


def read_history(root: Path) -> History:
    """Return what git says of a checkout."""
    if _git(root, "rev-parse", "--is-shallow-repository") != "false":
        return History(None)
    commits, base = _git(root, "rev-list", "--count", "HEAD"), _recent_base(root)
    if not commits or not base:
        return History(None)
    bases = [base, "HEAD"]
    if fork := _git(root, "merge-base", "HEAD", "origin/HEAD"):
        bases.append(fork)
    found = [_git(root, "diff", "--name-only", "--no-renames", point) for point in bases]
    found.append(_git(root, "ls-files", "--others", "--exclude-standard"))
    if any(names is None for names in found):
        return History(None)
    return History(int(commits), frozenset(name for names in found if names for name in names.splitlines()))


def _recent_base(root: Path) -> str | None:
    moment = _git(root, "log", "-1", "--format=%ct")
    if not moment:
        return None
    before = int(moment) - RECENT_HOURS * 3600
    return _git(root, "rev-list", "-1", f"--before={before}", "HEAD")


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints; None where there is no git, no repository or no such commit."""
    try:
        command = ["git", "-C", str(root), "-c", "core.quotePath=false", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
