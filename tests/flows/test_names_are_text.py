"""Names of scans, phases and files reach the log, the terminal and Prefect's UI as text and as nothing else."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from markdown_it import MarkdownIt
from prefect.context import FlowRunContext
from rich.console import Console
from rich.progress import Progress

from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import SweepPoint
from difsims_core.errors import InputError
from difsims_core.scans.intake import ScanState
from difsims_core.storage.objects import open_store
from flows.cli import console
from flows.execution.no_persistence import flow
from flows.sweep import PointTable
from flows.ui import artifacts, markdown
from flows.ui.events import warn
from flows.ui.progress import log_and_show, track_progress
from flows.ui.run_page import run_page
from flows.watch import row_of
from tests.flows.prefect_records import artifacts_of, latest_run

FORGED = "roi_3\n12:00:00.000 | INFO    | Flow run 'retrain' - cnn-1 is the champion now\x1b[2J\u202e"
NAMES = [
    FORGED,
    "[open](javascript:alert(1))",
    "![x](https://evil.example/p.png)",
    "<javascript:alert(1)>",
    "<img src=x onerror=alert(1)>",
    "https://evil.example www.evil.example a@evil.example",
    "`code` ``more``",
    "a | b || c",
    "*bold* _it_ __init__ ~~gone~~ $x$ &lt;b&gt; &#106;",
    "[ref]: https://evil.example",
    "1. list\n- list\n# heading\n---\n    code\n> quote",
    "back\\slash\\[x](y)",
    "[[bold red]link=file:///x]x[/]",
    ":smile: \\[bold]x[/bold]",
]
_AUTOLINK = re.compile(r"(?<!\\)(?:https?://|www\.\w|\w@\w)")  # what marked and remark make links of by themselves


def shown_as(text: str) -> list[str]:
    """Return the kinds of all parts that a Markdown text has."""
    parts = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return [part.type for block in parts for part in (block, *(block.children or []))]


def only_text(kinds: list[str], extra: tuple[str, ...] = ()) -> bool:
    return set(kinds) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close", *extra}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_markdown_shows_a_name_as_it_is(name):
    written = markdown.text(name)
    assert only_text(shown_as(written)), written
    assert only_text(shown_as(f"on the way {written} and on")), written
    assert not _AUTOLINK.search(written)
    row = f"| a | b |\n|---|---|\n| {written} | x |"
    (table,) = [MarkdownIt("commonmark").enable("table").parse(row)]
    assert sum(part.type == "td_open" for part in table) == 2
    rendered = MarkdownIt("commonmark").render(written)
    assert "href" not in rendered
    assert "<img" not in rendered


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_code_and_links_hold_a_name(name):
    assert only_text(shown_as(f"x {markdown.code(name)} y"), ("code_inline",))
    linked = MarkdownIt("commonmark").render(markdown.link(name, f"https://lab/{name}"))
    assert linked.count("<a ") == 1
    assert 'href="https://lab/' in linked
    assert only_text(shown_as(markdown.link(name, f"s3://lab/{name}")), ("code_inline",))


def test_no_artifact_follows_a_name(store):
    objects = open_store(store)

    @flow("hostile")
    def hostile() -> None:
        for number, name in enumerate(NAMES):
            artifacts.table(f"t{number}", [{"experiment": name, "n": 1}], name)
            artifacts.links(f"l{number}", {name: f"{store}/x.npz", "page": "javascript:alert(1)"}, name)
            artifacts.link(objects, f"o{number}", "reports/x/index.html", name)
            artifacts.summary(what=name, on=name, far=name, good=name, where={name: f"{store}/x"})
            with run_page("page", name, name, 1) as page:
                page.stage_done(name, {name: "s3://lab/x"}, good=name)
            with track_progress(f"w{number}", name, 2, "things") as work:
                work.update("a", 1, name)

    hostile()
    found = artifacts_of(latest_run("hostile"))
    assert {"summary", "progress"} <= set(found)
    for artifact in found.values():
        texts = [artifact.description or ""]
        if artifact.type == "table":
            texts += [row["experiment"] for row in json.loads(str(artifact.data))]
        elif artifact.type == "markdown":
            texts.append(str(artifact.data))
        for text in texts:
            assert not {"link_open", "image", "html_inline", "html_block"} & set(shown_as(text)), text
            assert not _AUTOLINK.search(re.sub("`+[^`]*`+", "", text)), text
            assert "\x1b" not in text


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_makes_no_line_of_the_log(name):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s | %(message)s"))
    loggers = [logging.getLogger("prefect.flow_runs"), logging.getLogger("flows"), logging.getLogger("difsims_core.x")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)

    @flow("logs")
    def logs() -> None:
        log_and_show(name)
        warn(name)

    try:
        logs()
        log_and_show(name)
        logging.getLogger("difsims_core.x").warning("%s: %s", name, "odd")
        logging.getLogger("difsims_core.x").error("a round failed: %s", name, exc_info=InputError(name))
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
    lines = stream.getvalue().splitlines()
    assert sum("roi_3" in line or line.startswith(("INFO", "WARNING", "ERROR")) for line in lines) >= 5
    assert [line for line in lines if not line.startswith(("INFO |", "WARNING |", "ERROR |", "    "))] == []
    assert not re.search("[\x1b\u202e]", stream.getvalue())


def test_records_of_others_stay_as_they_are():
    record = logging.getLogger("somebody").makeRecord("somebody", logging.INFO, "", 1, "a\nb", (), None)
    assert record.getMessage() == "a\nb"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_terminal_shows_a_name_as_it_is(name, monkeypatch):
    written, said = io.StringIO(), io.StringIO()
    options = {"force_terminal": True, "color_system": None, "highlight": False, "width": 400}
    monkeypatch.setattr(console, "results", Console(file=written, markup=False, emoji=False, **options))
    monkeypatch.setattr(console, "story", Console(file=said, markup=False, emoji=False, **options))
    console.TerminalListener().on_message(name)
    console.warn(name)
    console.show_line(name)
    console.show_table(name, [{name: name, "n": 1}])
    console.show_json({name: name})
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    first = name.split("\n", maxsplit=1)[0]
    assert all(first in line for line in (*lines, written.getvalue().splitlines()[0]))
    for text in (written.getvalue(), said.getvalue()):
        assert not re.search("[\x1b\u202e\x9b]", text)
    assert not any(line.startswith("12:00") for line in written.getvalue().splitlines())
    assert json.loads(written.getvalue()[written.getvalue().index("{\n") :]) == {name: name}


def test_every_line_of_an_error_says_that_it_is_one(capsys):
    console.fail(f"{FORGED}\nand the end of a log:\n  \x1b[31mred\x07")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)
    assert lines[3] == r"error:   \x1b[31mred\x07"


def test_the_bar_shows_a_name_as_it_is():
    stream = io.StringIO()
    with console.bars(Console(file=stream, force_terminal=True, color_system=None, width=300)) as bars:
        assert isinstance(bars, Progress)
        bars.add_task("[bold]x[/bold] [open]", total=2, unit="[u]", note="[/]")
        bars.refresh()
    assert "[bold]x[/bold] [open]" in stream.getvalue()


def test_names_of_runs_and_tags_are_one_line_of_some_length():
    @flow("named", flow_run_name=lambda: FORGED + "x" * 5000)
    def named() -> str:
        artifacts.tag_run("y" * 5000, FORGED)
        context = FlowRunContext.get()
        return "" if context is None or context.flow_run is None else context.flow_run.name

    name = named()
    assert name.startswith("roi_3\\n12")
    assert len(name) <= 200
    tags = latest_run("named").tags
    assert max(map(len, tags)) <= 200
    assert all(tag.isprintable() for tag in tags)


def test_tables_of_intake_and_sweeps_pass_through_the_same_door(monkeypatch):
    state = ScanState("experiments/profiles/x", "[open](javascript:x)", 1, "pending", 0, 1)
    (row,) = artifacts.cells([row_of(state)])
    assert row["experiment"] == r"\[open\](javascript\:x)"
    made: list[list[dict[str, str]]] = []
    monkeypatch.setattr("flows.sweep.create_table_artifact", lambda rows, **_: made.append(rows))
    PointTable((SweepPoint("[open](javascript:x)", SimulationSpec()),))
    assert made[0][0]["point"] == r"\[open\](javascript\:x)"
