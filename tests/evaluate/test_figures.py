"""Figures say what the data say, for any shape of scan; the report is one page that needs nothing else."""

from __future__ import annotations

import struct
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from difsims_core.evaluate import figures
from difsims_core.evaluate.classification import classification_scores
from difsims_core.evaluate.experiment_scores import ExperimentEvaluation, evaluate_experiment
from difsims_core.evaluate.figure_style import as_map, bar_length_nm, wrapped
from difsims_core.evaluate.report import LineageStep, ReportContent, ReportMap, render_report
from difsims_core.storage.npz.contracts import Prediction, Profiles, Truth

Q = np.linspace(0.1, 1.3, 60)
PHASES = ("first_phase", "second_phase")
HISTORY = [
    {"epoch": i, "loss": 1 / i, "accuracy": 1 - 1 / i, "val_loss": 1.2 / i, "val_accuracy": 0.9} for i in (1, 2, 3)
]


def scan(shape: tuple[int, ...], seed: int = 0) -> tuple[Prediction, Profiles, Truth]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet((1.0, 1.0), size=shape).astype(np.float32)
    y = rng.random((*shape, Q.size)).astype(np.float32)
    label = rng.integers(-1, 2, shape)
    truth = Truth(label, PHASES, rng.random(shape) < 0.3)
    return Prediction(p, PHASES, "cnn-x", invalid=rng.random(shape) < 0.05), Profiles("scan", Q, y, ""), truth


def evaluated(shape: tuple[int, ...]) -> tuple[Prediction, Truth, ExperimentEvaluation]:
    prediction, profiles, truth = scan(shape)
    return prediction, truth, evaluate_experiment(prediction, profiles, {}, truth)


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("shape", [(7, 9), (12,), (), (2, 3, 4), (300, 2)])
def test_maps_of_any_shape_can_be_drawn(shape: tuple[int, ...]) -> None:
    prediction, truth, evaluation = evaluated(shape)
    drawn = (
        figures.phase_map_figure(replace(prediction, scan_step_nm=2.5), "a scan"),
        figures.truth_figure(prediction, truth, "a scan"),
        figures.peak_positions_figure(evaluation),
    )
    for figure in drawn:
        width, height = size(figures.to_png(figure, dpi=50))
        assert 150 <= width <= 700
        assert 40 <= height <= 700


@pytest.mark.parametrize("shape", [(40,), (6, 30)])
def test_maps_of_thirteen_phases_leave_room_for_the_legend(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    phases = tuple(f"a_phase_with_a_long_name_{i}" for i in range(13))
    prediction = Prediction(rng.dirichlet(np.ones(13), size=shape).astype(np.float32), phases, "cnn-x")
    truth = Truth(rng.integers(-1, 13, shape), phases)
    for figure in (figures.phase_map_figure(prediction, "t"), figures.truth_figure(prediction, truth, "t")):
        figure.draw_without_rendering()
        legend = figure.legends[0].get_window_extent()
        for axes in figure.axes[: 2 if len(figure.axes) < 4 else 3]:
            assert axes.get_tightbbox().y0 >= legend.y1


def image(figure: Figure, panel: int) -> np.ndarray:
    return np.asarray(figure.axes[panel].images[0].get_array())


def test_a_phase_map_is_the_colour_of_the_claim_paler_where_less_sure() -> None:
    prediction = Prediction(np.array([[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]]], np.float32), PHASES, "cnn-x")
    rgb, confidence = (image(figures.phase_map_figure(prediction), i) for i in (0, 1))
    colours = figures.phase_colours(2)
    assert rgb[0, 0] == pytest.approx(colours[0])
    assert rgb[0, 1] == pytest.approx(1 + 0.25 * (colours[0] - 1))
    assert np.all(rgb[0, 2] > colours[1] - 1e-9)
    assert confidence[0] == pytest.approx([1.0, 0.5, 0.8])


def test_what_a_map_says_of_its_confidence_is_what_is_drawn() -> None:
    pred = np.array([[[1.0, 0.0], [0.9, 0.1], [0.2, 0.8]]], np.float32)
    said = np.array([[1.0, 0.09, np.nan]], np.float32)
    known = Prediction(pred, PHASES, "cnn-x", confidence=said, invalid=np.array([[False, False, True]]))
    figure, colours = figures.phase_map_figure(known), figures.phase_colours(2)
    assert image(figure, 0)[0, 1] == pytest.approx(1 + 0.25 * (colours[0] - 1))
    assert image(figure, 1)[0, :2] == pytest.approx([1.0, 0.09])
    assert figure.axes[1].get_title(loc="left") == "Confidence"
    grains = replace(known, grain=np.int32([[0, -1, -1]]), grain_pred=pred)
    assert image(figures.phase_map_figure(grains), 1)[0, 1] == pytest.approx(1 + 0.25 * (colours[0] - 1))


def test_where_a_map_says_nothing_of_its_confidence_the_highest_probability_counts() -> None:
    pred = np.array([[[1.0, 0.0], [0.9, 0.1]]], np.float32)
    known = Prediction(pred, PHASES, "cnn-x", confidence=np.array([[0.5, np.nan]], np.float32))
    assert image(figures.phase_map_figure(known), 1)[0] == pytest.approx([0.5, 0.9])


def test_the_truth_beside_maps_is_that_beside_one() -> None:
    pred = np.eye(2, dtype=np.float32)[np.array([[0, 1, 1]])]
    truth = Truth(np.array([[0, 2, -1]]), (*PHASES, "another"))
    alone, compared = (
        figures.truth_figure(Prediction(pred, PHASES, "cnn-x"), truth),
        figures.compared_figure([("one", Prediction(pred, PHASES, "cnn-x"))], truth),
    )
    np.testing.assert_array_equal(image(alone, 0), image(compared, 0))
    assert not np.array_equal(image(alone, 0)[0, 1], image(alone, 0)[0, 2])
    for figure in (alone, compared):
        assert "phase that the model does not know" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_map_that_knows_its_scan_step_has_a_scale_bar() -> None:
    prediction, truth, _ = evaluated((20, 40))
    known = replace(prediction, scan_step_nm=5.0)  # 40 pixels are 200 nm wide
    for figure, maps in ((figures.phase_map_figure(known), 2), (figures.truth_figure(known, truth), 3)):
        for axes in figure.axes[:maps]:
            (bar,) = [artist for artist in axes.artists if isinstance(artist, AnchoredSizeBar)]
            assert bar.txt_label.get_text() == "50 nm"
            assert bar.size_bar.get_children()[0].get_width() == pytest.approx(10)  # pixels
            assert not axes.get_xlabel()
    assert figures.phase_map_figure(prediction).axes[0].get_xlabel() == "pixel"


@pytest.mark.parametrize(
    ("width", "length"), [(40, 10), (61.92, 10), (79.9, 10), (80, 20), (3999, 500), (4000, 1000), (0.3, 0.05)]
)
def test_a_scale_bar_is_a_round_number_of_a_quarter_of_the_width_at_most(width: float, length: float) -> None:
    assert bar_length_nm(width) == pytest.approx(length)


def test_mistakes_are_marked_where_they_are_and_only_there() -> None:
    pred = np.eye(2, dtype=np.float32)[np.array([[0, 1, 1, 0]])]
    truth = Truth(np.array([[0, 0, 0, -1]]), PHASES, np.array([[False, False, True, False]]))
    errors = image(figures.truth_figure(Prediction(pred, PHASES, "cnn-x"), truth), 2)
    assert errors[0, 0] == pytest.approx([1, 1, 1])
    assert len({tuple(pixel) for pixel in errors[0].tolist()}) == 4


def test_a_map_of_grains_stands_beside_that_of_pixels():
    pixels = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]], np.float32)
    grains = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]], np.float32)
    both = Prediction(pixels, PHASES, "cnn-x", grain=np.int32([[0, 0, -1]]), grain_pred=grains)
    alone = replace(both, grain=None, grain_pred=None)
    truth = Truth(np.array([[0, 0, 1]]), PHASES)
    np.testing.assert_array_equal(image(figures.phase_map_figure(both), 0), image(figures.phase_map_figure(alone), 0))
    of_grains = replace(alone, pred=grains)
    np.testing.assert_array_equal(
        image(figures.phase_map_figure(both), 1), image(figures.phase_map_figure(of_grains), 0)
    )
    np.testing.assert_array_equal(image(figures.phase_map_figure(both), 2), image(figures.phase_map_figure(alone), 1))
    figure = figures.truth_figure(both, truth)
    np.testing.assert_array_equal(image(figure, 2), image(figures.truth_figure(alone, truth), 2))
    np.testing.assert_array_equal(image(figure, 3), np.ones((1, 3, 3)))
    assert [axes.get_title(loc="left") for axes in figure.axes][2:4] == ["Mistakes: 33.3 %", "Grain by grain: 0.0 %"]


def test_colours_of_thirteen_phases_can_be_told_apart() -> None:
    colours = figures.phase_colours(13)
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=2) + np.eye(13)
    assert distance.min() > 0.15
    assert figures.phase_colours(30).shape == (30, 3)


def test_example_profiles_curves_and_matrices_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 4):
        figure = figures.example_profiles_figure(Q, {f"phase_{i}": rng.random((2, Q.size)) for i in range(n)})
        size(figures.to_png(figure, dpi=40))
    for k in (2, 13):
        scores = classification_scores(
            rng.dirichlet(np.ones(k), 50), rng.integers(0, k, 50), [f"p{i}" for i in range(k)]
        )
        size(figures.to_png(figures.confusion_figure(scores["confusion"]), dpi=40))
        size(figures.to_png(figures.reliability_figure(scores["reliability"]), dpi=40))
    size(figures.to_png(figures.learning_curves_figure(HISTORY), dpi=40))
    size(figures.to_png(figures.learning_curves_figure([{"epoch": 1, "loss": 0.5}]), dpi=40))


def test_the_lowest_held_out_loss_is_marked() -> None:
    history = [
        {"epoch": e, "loss": 1.0, "accuracy": 0.5, "val_loss": v, "val_accuracy": 0.5}
        for e, v in ((1, 3), (2, 1), (3, 2))
    ]
    dotted = [line for line in figures.learning_curves_figure(history).axes[0].lines if line.get_linestyle() == ":"]
    assert list(dotted[0].get_xdata()) == [2, 2]


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = (figures.to_png(figures.phase_map_figure(scan((4, 5))[0]), dpi=40) for _ in range(2))
    assert first == second


def test_navigation_shapes_become_rows_and_columns() -> None:
    assert as_map(np.arange(6), (6,)).shape == (1, 6)
    assert as_map(np.arange(24), (2, 3, 4)).shape == (6, 4)
    assert as_map(np.array(1.0), ()).shape == (1, 1)
    assert wrapped("p4mbm_scaled_mixed_halide") == "p4mbm_scaled_\nmixed_halide"


class Page(HTMLParser):
    """Collects what a browser would fetch or run, the tags left open, and the text."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


PNG = figures.to_png(figures.phase_map_figure(evaluated((4, 4))[0]))


def full_content() -> ReportContent:
    prediction, truth, evaluation = evaluated((6, 8))
    rng = np.random.default_rng(0)
    return ReportContent(
        title="Maps <script>alert(1)</script> & more",
        created="2026-07-01",
        introduction="Two scans.",
        facts=(("wall time", "4 min"),),
        held_out=classification_scores(rng.dirichlet((1.0, 1.0), 80), rng.integers(0, 2, 80), PHASES),
        history=HISTORY,
        maps=(
            ReportMap(evaluation, PNG, figures.to_png(figures.truth_figure(prediction, truth))),
            ReportMap(evaluated((5,))[2], PNG),
        ),
        example_q=Q,
        examples={name: rng.random((4, Q.size)) for name in PHASES},
        lineage=(LineageStep("crystal files", "2 files", (("a.cif", "ab" * 32),)), LineageStep("model", "cnn-x")),
        parameters={"seed": 10, "note": "<b>bold</b>"},
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(full_content())


def test_the_report_is_one_page_that_fetches_and_runs_nothing(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert "@import" not in html
    assert "url(" not in html
    assert page.tags.count("img") == 9  # map, truth, peaks; map, peaks; examples; curves, confusion, reliability


def test_what_others_wrote_is_escaped(html: str) -> None:
    page = Page(html)
    assert "Maps <script>alert(1)</script> & more" in page.text
    assert "<b>bold</b>" in page.text
    assert "b" not in page.tags


def test_the_report_shows_scores_lineage_and_parameters(html: str) -> None:
    content, page = full_content(), Page(html)
    assert content.held_out is not None
    for expected in (
        f"{100 * content.held_out['accuracy']:.1f} %",
        "ab" * 32,
        "cnn-x",
        '"seed": 10',
        "no structure",
        "null",
    ):
        assert expected in page.text


def test_parts_that_are_missing_are_left_out() -> None:
    page = Page(render_report(ReportContent(title="Empty")))
    assert "Empty" in page.text
    assert not {"img", "table", "details"} & set(page.tags)
    evaluation = evaluated((3, 3))[2]
    without_truth = Page(render_report(ReportContent(title="No truth", maps=(ReportMap(evaluation, PNG),))))
    assert "off grain boundaries" not in without_truth.text
