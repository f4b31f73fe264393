"""What runs leave for people: pictures that a browser can load, summaries, progress, a log without chatter."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
from PIL import Image
from prefect import flow, task

from difsims_core.evaluate.figure_style import phase_colours
from difsims_core.learn.predict import PredictionResult
from difsims_core.results.map_scores import MapScores
from difsims_core.storage.objects import open_store
from flows.ui import artifacts, summaries
from flows.ui.figure_links import THUMBNAIL_BYTES, browser_url, thumbnail
from flows.ui.progress import log_and_show, log_line, track_progress
from flows.ui.run_page import run_page
from tests.flows.prefect_records import artifacts_of, latest_run

OWNER = "cnn-00000000-0000-4000-8000-000000000000"


def png(width: int = 1160, height: int = 540, *, noise: bool = False) -> bytes:
    """Return a picture of three patches in the colours of phases, or of nothing but noise."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    if noise:
        pixels = np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)
    for number, colour in enumerate(phase_colours(3)):
        patch = slice(number * width // 3 + 20, (number + 1) * width // 3 - 20)
        pixels[height // 4 : -height // 4, patch] = np.round(255 * colour)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def draw_in(store: str):
    """Leave a figure in a store, as a flow does, and return its artifact."""

    @flow(name="draws")
    def draws() -> None:
        artifacts.figure(open_store(store), OWNER, "roi_1-phase-map.png", png, "Phases of roi_1")

    draws()
    return artifacts_of(latest_run("draws"))["roi-1-phase-map"]


def test_a_thumbnail_is_small_and_keeps_the_colours_of_phases():
    whole = png()
    small = thumbnail(whole)
    assert len(small) <= THUMBNAIL_BYTES
    with Image.open(io.BytesIO(small)) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    assert width >= 640
    for number, colour in enumerate(phase_colours(3)):
        seen = pixels[height // 2, (2 * number + 1) * width // 6]
        assert np.abs(seen - 255 * colour).max() < 12, number


@pytest.mark.parametrize(("width", "height"), [(1160, 540), (60, 40), (3000, 9)])
def test_any_picture_has_a_thumbnail(width, height):
    with Image.open(io.BytesIO(thumbnail(png(width, height, noise=True)))) as opened:
        assert 0 < opened.width <= min(width, 800)


def test_in_a_folder_the_picture_lies_in_the_artifact(store):
    found = draw_in(store)
    assert found.type == "image"
    head, _, body = found.data.partition(";base64,\n")
    path = Path(store.removeprefix("file://")) / "reports" / OWNER / "roi_1-phase-map.png"
    assert unquote(head) == f"data:image/webp;name={path}"
    with Image.open(io.BytesIO(base64.b64decode(body, validate=True))) as opened:
        assert opened.format == "WEBP"
    assert path.read_bytes() == png()
    assert f"`{path}`" in found.description


def test_a_public_store_is_linked(store, monkeypatch):
    monkeypatch.setenv("DIFSIMS_PUBLIC_URL", "https://files.lab/difsims/")
    assert draw_in(store).data == f"https://files.lab/difsims/reports/{OWNER}/roi_1-phase-map.png"
    monkeypatch.setenv("DIFSIMS_FIGURE_LINKS", "inline")
    assert draw_in(store).data.startswith("data:")


@pytest.mark.service
def test_on_s3_the_link_is_signed_and_holds_no_secret(s3_store_url, s3_service, monkeypatch):
    found = draw_in(s3_store_url)
    assert httpx.get(found.data).content == png()
    assert s3_service.secret_key not in found.data
    assert "this link lasts until" in found.description
    assert f"`{s3_store_url}/reports" in found.description
    other = found.data.replace("roi_1-phase-map", "roi_2-phase-map")
    assert httpx.get(other).status_code == 403, "the link opens one object and no other"
    monkeypatch.setenv("DIFSIMS_FIGURE_LINKS", "inline")
    assert draw_in(s3_store_url).data.startswith("data:")


def test_what_has_no_link_says_where_it_is(store, monkeypatch):
    monkeypatch.setenv("DIFSIMS_FIGURE_LINKS", "signed")
    assert browser_url(open_store(store), "reports/x/index.html") is None

    @flow(name="links")
    def links() -> None:
        artifacts.links("predictions", {"roi_1": f"{store}/roi_1.npz", "page": "https://lab/x"}, "Maps")
        assert artifacts.link(open_store(store), "report", "reports/x/index.html", "The report") is None

    links()
    found = artifacts_of(latest_run("links"))
    assert f"- roi_1: `{store.removeprefix('file://')}/roi_1.npz`" in found["predictions"].data
    assert "- [page](https://lab/x)" in found["predictions"].data
    assert "reports/x/index.html`" in found["report"].data


def test_no_link_is_signed_with_a_token(s3_store_url, monkeypatch):
    objects = open_store(s3_store_url)
    assert "X-Amz-Signature" in browser_url(objects, "reports/x/index.html")[0]
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token-that-is-secret")
    assert "a-token-that-is-secret" in (objects.signed_url("reports/x/index.html", 60) or "")
    for way in ("auto", "signed"):
        monkeypatch.setenv("DIFSIMS_FIGURE_LINKS", way)
        assert browser_url(objects, "reports/x/index.html") is None


def test_tables_have_four_figures():
    @flow(name="counts")
    def counts() -> None:
        artifacts.table("scores", [{"map": "a", "F1": 0.123456, "n": 123456, "none": None, "nan": float("nan")}], "x")

    counts()
    (row,) = json.loads(artifacts_of(latest_run("counts"))["scores"].data)
    assert row == {"map": "a", "F1": 0.1235, "n": 123456, "none": None, "nan": None}


def test_a_summary_answers_in_the_order_of_the_questions():
    @flow(name="summarised")
    def summarised() -> None:
        artifacts.summary(what="trained", on="sim-1", far="complete", good="99 %", where={"cnn-1": "s3://lab/cnn-1"})

    summarised()
    text = artifacts_of(latest_run("summarised"))["summary"].data
    places = [text.index(f"**{word}:**") for word in ("What ran", "On what", "How far", "How good", "Where")]
    assert places == sorted(places)
    assert "- cnn-1: `s3://lab/cnn-1`" in text


def test_predictions_and_scores_are_summarised(store):
    maps = [PredictionResult("cnn-1", f"{store}/1.npz", "roi_1", False, 2, 20)]
    unknown = dict.fromkeys(("accuracy", "accuracy_off_boundaries", "mean_confidence", "peaks_f1", "null_f1"))
    places = {"url": "s3://lab/1.json", "prediction": "s3://lab/1.npz", "mean_distance_per_angstrom": None}
    counts = {"n_invalid": 0, "n_better_than_null": 2, "n_compared": 3, "reused": False}
    known = MapScores(name="", model="cnn-1", **unknown, **places, **counts)
    scores = [replace(known, name="roi_1", accuracy=0.91234, reused=True)]
    scores += [replace(known, name=f"line {n}") for n in range(20)]

    @flow(name="predicted")
    def predicted() -> None:
        summaries.show_predictions(maps, failed=1)

    @flow(name="scored")
    def scored() -> None:
        summaries.show_scores(scores)

    predicted()
    found = artifacts_of(latest_run("predicted"))
    assert "1 failed: 1 new, 0 were there already" in found["summary"].data
    assert "- roi_1: `" in found["predictions"].data
    scored()
    found = artifacts_of(latest_run("scored"))
    assert "roi_1 91.2% right, line 0 2 of 3 phases better than null" in found["summary"].data
    assert "and 9 more" in found["summary"].data
    assert len(json.loads(found["evaluation"].data)) == 21


def test_the_page_of_a_run_that_stops_says_how_far_it_came():
    @flow(name="staged")
    def staged() -> None:
        with run_page("staged", "two things", "nothing", 2) as page:
            page.stage_done("the first thing", {"first": "s3://lab/first"}, good="fine")
            raise ValueError("the second thing is broken\nand more")

    with pytest.raises(ValueError, match="second thing"):
        staged()
    found = artifacts_of(latest_run("staged"))
    summary = found["summary"].data
    assert "stopped after 1 of 2 stages: the second thing is broken; what is finished is kept" in summary
    assert "- first: `s3://lab/first`" in summary
    assert found["progress"].data == 50.0


def test_work_goes_on_while_the_server_is_away(monkeypatch):
    def away(*args, **kwargs):
        raise httpx.ConnectError("connection refused")

    @flow(name="goes-on")
    def goes_on() -> int:
        monkeypatch.setattr("prefect.artifacts.update_progress_artifact", away)
        with track_progress("goes-on", "counting", 2, "things") as work:
            work.update("all", 2)
        return work.done

    assert goes_on() == 2


def test_the_log_tells_the_story_and_not_that_tasks_ended(caplog):
    tries: list[int] = []

    @task(retries=1, retry_delay_seconds=0, task_run_name="step {n}")
    def step(n: int) -> None:
        tries.append(n)
        if tries.count(2) == 1 and n == 2:
            raise OSError("the store is away for a moment")

    @flow(name="tells")
    def tells() -> None:
        log_and_show("it begins")
        for n in range(4):
            step(n)
        log_line("it ends")

    tells()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("prefect.")]
    assert "it begins" in lines
    assert "it ends" in lines
    assert any("Retry 1/1" in line and "away for a moment" in line for line in lines), "a retry is part of the story"
    assert [line for line in lines if line.startswith("Finished in state Completed")] == [
        "Finished in state Completed()"
    ]
