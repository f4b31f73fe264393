"""The commands about what is kept: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from difsims_core.models.registry import promote, read_registry
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli import models
from flows.cli.command_group import CommandGroup
from tests.small_stores import contents, put_dataset, put_model, put_report

app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False, rich_markup_mode="rich")
models.register(app)


@app.callback()
def _main(_debug: bool = False, verbose: bool = False) -> None:
    pass


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(tmp_path / "store")


@pytest.fixture
def run(store: ObjectStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--store", store.root])


def crown(store: ObjectStore, *models: str) -> None:
    for model in models:
        promote(store, read_registry(store), model, why=f"why {model}", scores={"f1": 0.5}, by="hand", ingredients="a")


@pytest.mark.parametrize("command", ["champion", "promote", "rollback", "retention", "backup", "restore"])
def test_help_has_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: difsims {command}" in " ".join(result.stdout.split())


def test_a_model_is_promoted_by_the_beginning_of_its_id(run, store):
    model = put_model(store)
    assert run("promote", model[:16], "--why", "w").stdout.split()[-1] == model
    assert run("promote", "cnn-", "--why", "w").exit_code == 2


def test_champion(run, store):
    assert "`difsims promote`" in run("champion").stdout
    models = [put_model(store) for _ in range(12)]
    crown(store, *models)
    said = run("champion").stdout
    assert said.index(models[-1]) < said.index(models[-2])
    assert "10 of 11" in said
    assert "f1 0.5" in said
    assert "10 of 12" in said
    document = json.loads(run("champion", "--json").stdout)
    assert document["champion"]["model"] == models[-1]
    assert len(document["former"]) == 11


def test_promotion_by_hand(run, store, monkeypatch):
    told = []
    monkeypatch.setattr("flows.ui.events.announce", lambda *arguments, **details: told.append((arguments, details)))
    first, second = put_model(store), put_model(store)
    assert run("promote", first).exit_code == 2
    assert run("promote", first, "--why", "the first").stdout == f"{first}\n"
    document = json.loads(run("promote", second, "--why", "knows Pb", "--json").stdout)
    assert (document["model"], document["before"], document["by"]) == (second, first, "hand")
    assert read_registry(store).former[0].model == first
    assert [arguments for arguments, _ in told] == [("champion.promoted", it, store.root) for it in (first, second)]
    assert [details["labels"]["difsims.before"] for _, details in told] == ["", first]
    again = run("promote", second, "--why", "again")
    assert again.exit_code == 2
    assert second in again.stderr
    misused = run("promote", "large_filter", "--why", "x")
    assert (misused.exit_code, "large_filter" in misused.stderr) == (2, True)
    store.delete_tree(layout.model(first))
    gone = run("promote", first, "--why", "x")
    assert (gone.exit_code, first in gone.stderr) == (1, True)
    assert len(told) == 2


def test_rollback(run, store):
    first, second = put_model(store), put_model(store)
    crown(store, first, second)
    assert run("rollback").exit_code == 2
    assert run("rollback", "--why", "maps were wrong").stdout == f"{first}\n"
    champion = read_registry(store).champion
    assert (champion.model, champion.why, champion.by) == (first, "maps were wrong", "rollback")
    document = json.loads(run("rollback", "--to", second, "--why", "no", "--json").stdout)
    assert (document["model"], document["before"]) == (second, first)
    refused = run("rollback", "--to", second, "--why", "again")
    assert refused.exit_code == 2
    assert f"'{second}'" in refused.stderr
    store.delete_tree(layout.model(first))
    assert run("rollback", "--to", first, "--why", "gone").exit_code == 1


def test_rollback_is_announced(run, store, monkeypatch):
    first, second = put_model(store), put_model(store)
    crown(store, first, second)
    told = []
    monkeypatch.setattr("flows.ui.events.announce", lambda *arguments, **details: told.append((arguments, details)))
    run("rollback", "--why", "maps were wrong")
    ((arguments, details),) = told
    assert arguments == ("champion.promoted", first, store.root)
    assert details["labels"] == {"difsims.before": second}
    assert details["payload"] == {"why": "maps were wrong", "by": "rollback", "scores": {"f1": 0.5}}


def test_retention_touches_nothing_unless_told(run, store, monkeypatch):
    monkeypatch.setattr("difsims_core.housekeeping.retention_plan.RetentionPolicy.since", property(lambda p: p.now))
    data = put_dataset(store)
    kept, lost = put_model(store, datasets=[data]), put_model(store)
    report = put_report(store, "run-1", lost)
    crown(store, kept)
    before = contents(store)
    result = run("retention")
    assert result.exit_code == 0
    assert contents(store) == before
    assert result.stdout.index("may go") < result.stdout.index(lost) < result.stdout.index("stays")
    assert result.stdout.splitlines()[-1].startswith("2 ")
    assert "--delete" in result.stdout.splitlines()[-1]
    plan = json.loads(run("retention", "--json").stdout)
    assert [item["id"] for item in plan["going"]] == [report, lost]
    assert plan["deleted"] == []
    assert plan["bytes"] == sum(item["bytes"] for item in plan["going"])
    assert contents(store) == before
    assert "0 of 0" in run("retention", "--keep", lost, "--delete").stdout.splitlines()[-1]
    assert "2 of 2" in run("retention", "--delete").stdout.splitlines()[-1]
    assert not [key for key in store.list() if lost in key]
    assert json.loads(run("retention", "--delete", "--json").stdout)["deleted"] == []
    assert run("retention").stdout.splitlines()[-1].startswith("0 ")


def test_retention_refuses_what_nobody_has_proven(run, store, monkeypatch):
    monkeypatch.setattr("difsims_core.housekeeping.retention_plan.RetentionPolicy.since", property(lambda p: p.now))
    models = [put_model(store) for _ in range(3)]
    before = contents(store)
    shown = run("retention")
    assert shown.exit_code == 0
    assert " 3 models" in " ".join(shown.stderr.split())
    assert shown.stdout.splitlines()[-1].startswith("3 ")
    assert "--delete" not in shown.stdout
    refused = run("retention", "--delete")
    assert refused.exit_code == 1
    assert " 3 models" in " ".join(refused.stderr.split())
    assert contents(store) == before
    crown(store, models[0])
    refused = run("retention", "--delete")
    assert refused.exit_code == 1
    assert "--most-percent 67" in refused.stderr
    assert run("retention", "--delete", "--most-percent", "67").exit_code == 0


def test_retention_by_the_number_of_a_registry_that_was_looked_at(run, store, monkeypatch):
    monkeypatch.setattr("difsims_core.housekeeping.retention_plan.RetentionPolicy.since", property(lambda p: p.now))
    models = [put_model(store) for _ in range(4)]
    crown(store, models[0])
    old = store.read(layout.model_registry())
    crown(store, models[1])
    store.write(layout.model_registry(), old)
    refused = run("retention", "--delete", "--most-percent", "80")
    assert refused.exit_code == 1
    assert models[1] in refused.stderr
    assert "registry 1, written" in run("champion").stdout
    plan = json.loads(run("retention", "--json").stdout)
    for objection, words in zip(plan["objections"], ("does not know", "3 of 4 items", "bytes would go"), strict=True):
        assert words in objection
    assert run("retention", "--delete", "--most-percent", "80", "--serial", "1").exit_code == 0
    assert store.folders("models").count(models[1]) == 0


def test_retention_misused(run):
    assert run("retention", "--keep-days", "0").exit_code == 2
    unknown = run("retention", "--keep", "cnn-x")
    assert unknown.exit_code == 2
    assert run("retention", "--most-percent", "0").exit_code == 2
    assert "cnn-x" in unknown.stderr


def test_backup_and_restore(run, store, tmp_path):
    model = put_model(store)
    crown(store, model)
    folder = str(tmp_path / "copy")
    said = run("backup", folder)
    assert said.exit_code == 0
    assert said.stdout.startswith("3 records, ")
    assert said.stdout.endswith(f"file://{folder}\n")
    assert run("backup", folder).exit_code == 2
    store.delete(layout.model_registry())
    restored = json.loads(run("restore", folder, "--json").stdout)
    assert (len(restored["written"]), len(restored["same"]), restored["left"]) == (1, 2, {})
    assert json.loads(run("restore", folder, "--json").stdout)["written"] == []
    (tmp_path / "copy" / layout.model_registry()).unlink()
    damaged = run("restore", folder)
    assert damaged.exit_code == 1
    assert layout.model_registry() in damaged.stderr
    store.write(f"{layout.model(model)}/bundle.json", b"{")
    warned = run("backup", str(tmp_path / "second"), "--json")
    assert json.loads(warned.stdout)["damaged"] == [f"{layout.model(model)}/bundle.json"]
    assert f"{layout.model(model)}/bundle.json" in warned.stderr.replace("\n", "")


def test_credentials_in_a_url_are_refused(run):
    for command in ("backup", "restore"):
        assert run(command, "s3://key:secret@bucket/x").exit_code == 2


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (12_345, "12.35 kB"), (3e15, "3000 TB")]
)
def test_sizes_as_people_write_them(size, text):
    assert models.readable_size(size) == text
