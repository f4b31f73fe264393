"""Which groups of tests run: by what has changed, by the number of commits, and by what is known of the history."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.lane_times import LaneTimes
from tests.lanes import next_piece
from tests.selection import ALL, GROUPS, RECENT_HOURS, History, Selection, belongs_to, read_history, select

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("docs/physics.md", set()),
        ("difsims_core/kernels/random/draw.py", set()),
        ("flows/stack/up.py", {"stack", "kill", "production", "browser"}),
        ("flows/ui/summaries.py", {"stack", "browser"}),
        ("difsims_core/storage/local.py", {"kill", "faults"}),
        ("difsims_core/storage/s3/retries.py", {"kill", "faults", "production"}),
        ("difsims_core/evaluate/figures.py", {"browser"}),
        ("tests/faults/test_refusals.py", {"faults"}),
        ("constraints.txt", ALL),
        ("tests/conftest.py", ALL),
    ],
)
def test_a_group_runs_when_what_it_tests_has_changed(changed, expected):
    assert select(History(7, frozenset({"README.md", changed}))).groups == expected


def test_all_groups_run_now_and_then_when_nothing_is_known_and_when_asked_for():
    assert [select(History(commits)).full for commits in (9, 10, 11, 14, 15)] == [False, True, False, False, True]
    assert select(History(None)).full
    assert select(History(7), "all").full
    concerned = select(History(7, frozenset({"constraints.txt"})))
    assert (concerned.skipped, concerned.full) == (frozenset(), False)
    left = select(History(7), "")
    assert (left.groups, left.skipped) == (frozenset(), ALL)


def test_folders_and_markers_make_a_group():
    assert belongs_to("tests/stack/test_health.py", set()) == {"stack"}
    assert belongs_to("tests/faults/test_store_killed.py", {"kill", "slow"}) == {"faults", "kill"}
    assert belongs_to("tests/flows/test_simulate_dask.py", {"kill"}) == {"kill"}
    assert belongs_to("tests/storage/test_local.py", {"slow"}) == set()


def test_every_subject_of_a_group_is_there():
    for group in GROUPS:
        missing = [subject for subject in group.subjects if not (ROOT / subject).exists()]
        assert missing == [], group.name
        assert (ROOT / group.folder).is_dir()


def test_tests_of_groups_that_do_not_run_are_skipped_with_the_reason():
    from tests.conftest import skip_unselected

    @dataclass
    class Item:
        path: Path
        names: tuple[str, ...] = ()
        added: list[pytest.MarkDecorator] = field(default_factory=list)

        def iter_markers(self):
            return [getattr(pytest.mark, name).mark for name in self.names]

        def add_marker(self, marker):
            self.added.append(marker)

    items = [
        Item(ROOT / path, names)
        for path, names in [
            ("tests/stack/test_health.py", ()),
            ("tests/faults/test_store_killed.py", ("kill",)),
            ("tests/storage/test_local.py", ("slow",)),
            ("tests/stack/test_stack.py", ("kill",)),
        ]
    ]
    skip_unselected(items, Selection(frozenset({"kill"}), ""))  # type: ignore[arg-type]
    assert [len(item.added) for item in items] == [1, 0, 0, 0]
    assert "nothing that the group stack tests" in items[0].added[0].kwargs["reason"]


@pytest.fixture
def repository(tmp_path):
    """A repository with an old commit and two recent ones."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    for name, hours in (("old.py", RECENT_HOURS + 1), ("flows/ui/ä.py", 2), ("new.py", 0)):
        commit(folder, name, NOW - timedelta(hours=hours))
    return folder


def git(folder: Path, *arguments: str, **environment: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)


def commit(folder: Path, name: str, moment: datetime) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    git(folder, "add", name)
    dates = {"GIT_AUTHOR_DATE": moment.isoformat(), "GIT_COMMITTER_DATE": moment.isoformat()}
    git(folder, "commit", "-q", "-m", name, **dates)


def test_the_history_tells_what_has_changed_lately(repository):
    assert read_history(repository) == History(3, frozenset({"flows/ui/ä.py", "new.py"}))
    (repository / "old.py").write_text("changed")
    (repository / "untracked.py").touch()
    assert read_history(repository).changed == {"flows/ui/ä.py", "new.py", "old.py", "untracked.py"}


def test_a_branch_of_many_days_is_compared_with_where_it_began(repository, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    commit(clone, "first.py", NOW + timedelta(days=1))
    commit(clone, "second.py", NOW + timedelta(days=2))
    assert read_history(clone) == History(5, frozenset({"first.py", "second.py"}))


def test_a_history_that_is_cut_off_young_or_missing_is_unknown(repository, tmp_path):
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))
    young = tmp_path / "young"
    young.mkdir()
    git(young, "init", "-q")
    commit(young, "a.py", NOW)
    plain = tmp_path / "plain"
    plain.mkdir()
    for folder in (shallow, young, plain):
        assert read_history(folder) == History(None), folder.name


def test_each_process_takes_its_own_lane_first_and_then_the_far_end_of_the_other():
    left = ["tests/cli/a.py", "tests/flows/a.py", "tests/flows/b.py", "tests/physics/a.py", "tests/physics/b.py"]
    for place, piece in enumerate(("tests/flows/a.py", "tests/physics/a.py", "tests/cli/a.py", "tests/physics/a.py")):
        assert next_piece(left, place) == piece
    assert next_piece(left[:3], 1) == "tests/cli/a.py"
    assert next_piece(left[1:3], 3) == "tests/flows/b.py"
    assert next_piece(left[3:], 0) == next_piece(left[3:], 2) == "tests/physics/b.py"


def test_it_is_told_where_the_time_went():
    times = LaneTimes()
    for process, test, seconds in (("gw1", "physics/a.py", 2), ("gw0", "cli/a.py", 1), ("gw1", "physics/b.py", 3)):
        report = SimpleNamespace(nodeid=f"tests/{test}::x", duration=seconds, processor_s=seconds / 2)
        times.pytest_runtest_logreport(SimpleNamespace(**vars(report), worker_id=process))
    assert times.lines() == [
        "gw0: 1 s (0 s of processors): cli 1 (0)",
        "gw1: 5 s (2 s of processors): physics 5 (2)",
    ]


def test_what_a_process_below_uses_counts():
    times = LaneTimes()
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as below:
        below.stdout.readline()
        report = used_since(times)
        below.communicate(b"\n")
    assert report > 0.2
    assert used_since(times) < 0.2


def used_since(times: LaneTimes) -> float:
    wrapper = times.pytest_runtest_makereport()
    next(wrapper)
    with pytest.raises(StopIteration) as returned:
        wrapper.send(SimpleNamespace())
    return returned.value.value.processor_s
