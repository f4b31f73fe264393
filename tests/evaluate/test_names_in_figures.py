"""Whatever phases and scans are called, figures and reports show it: nothing raises, warns, or becomes mathematics."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from difsims_core.evaluate import figures
from difsims_core.evaluate.classification import classification_scores
from difsims_core.evaluate.experiment_scores import ExperimentEvaluation, evaluate_experiment
from difsims_core.evaluate.figure_style import drawable, wrapped
from difsims_core.evaluate.report import LineageStep, ReportContent, ReportMap, render_report
from difsims_core.storage.npz.contracts import Prediction, Profiles, Truth
from tests.evaluate.test_figures import HISTORY, Page

Q = np.linspace(0.1, 1.3, 60)
LONG = "x" * 5000
NAMES = [
    r"$\undefined{x}$",
    "$x",
    r"\$x$ $$ \frac{",
    "a\nb\x1b[2J\x00\x07",
    "\u202egnp.exe\u2066",
    "\udcff half",
    "钙钛矿 😀 \U0010ffff",
    "_hidden",
    LONG,
    "%s {0} {x!r} %",
    "<script>alert(1)</script>\" onload=alert(1) x='",
    "javascript:alert(1)",
    "",
]


def drawn(phases: tuple[str, ...], title: str) -> dict[str, Figure]:
    """Return every figure that shows names."""
    rng, k = np.random.default_rng(0), len(phases)
    prediction = Prediction(rng.dirichlet(np.ones(k), (4, 5)).astype(np.float32), phases, "cnn-x")
    truth = Truth(rng.integers(-1, k, (4, 5)), phases, None)
    scores = classification_scores(rng.dirichlet(np.ones(k), 50), rng.integers(0, k, 50), phases)
    return {
        "map": figures.phase_map_figure(prediction, title),
        "truth": figures.truth_figure(prediction, truth, title),
        "examples": figures.example_profiles_figure(Q, {phase: rng.random((2, Q.size)) for phase in phases}, title),
        "peaks": figures.peak_positions_figure(evaluation(phases, title)),
        "confusion": figures.confusion_figure(scores["confusion"]),
    }


def evaluation(phases: tuple[str, ...], title: str) -> ExperimentEvaluation:
    """Return the scores of a map, with a name in what was found of each phase."""
    rng = np.random.default_rng(0)
    prediction = Prediction(rng.dirichlet(np.ones(len(phases)), (9, 9)).astype(np.float32), phases, "cnn-x")
    found = evaluate_experiment(prediction, Profiles(title, Q, rng.random((9, 9, Q.size)).astype(np.float32), ""), {})
    return replace(found, phases=tuple(replace(phase, reason=title) for phase in found.phases))


@pytest.mark.parametrize("phases", [tuple(NAMES), tuple(NAMES[:3]), (LONG, LONG[1:])], ids=["all", "few", "long"])
def test_every_figure_draws_any_name(phases):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind, figure in drawn(phases, phases[0]).items():
            assert figures.to_png(figure, dpi=30).startswith(b"\x89PNG"), kind
            shown = [text for text in figure.findobj(Text) if isinstance(text, Text)]
            for name in filter(None, phases):
                named = [text for text in shown if drawable(name, 12)[:6] in text.get_text().replace("\n", "")]
                assert named, (kind, name)
                assert not any(text.get_parse_math() or text.get_usetex() for text in named), (kind, name)
            assert all(len(text.get_text()) < 250 for text in shown), kind


def test_a_dollar_is_one_and_a_long_name_keeps_both_ends():
    assert drawable("$x$") == "$x$"
    assert drawable("a\nb") == r"a\nb"
    assert drawable("钙x") == "\N{REPLACEMENT CHARACTER}x"
    assert re.fullmatch("a+…a*b", drawable("a" * 500 + "b"))
    assert wrapped("a" * 30) == f"{'a' * 14}\n{'a' * 14}\naa"


def content(phases: tuple[str, ...]) -> ReportContent:
    rng, k, name = np.random.default_rng(0), len(phases), " ".join(phases)
    prediction = Prediction(rng.dirichlet(np.ones(k), (9, 9)).astype(np.float32), phases, "cnn-x")
    held_out: dict[str, Any] = classification_scores(rng.dirichlet(np.ones(k), 80), rng.integers(0, k, 80), phases)
    return ReportContent(
        title=name,
        created=name,
        introduction=name,
        facts=((name, name),),
        held_out=held_out,
        history=HISTORY,
        maps=(ReportMap(evaluation(phases, name), figures.to_png(figures.phase_map_figure(prediction, name))),),
        lineage=(LineageStep(name, name, tuple((phase, phase) for phase in phases)),),
        parameters={name: name},
    )


def test_the_report_shows_any_name_as_text():
    html = render_report(content(tuple(NAMES)))
    assert html.encode()
    page, plain = Page(html), Page(render_report(content(tuple(f"x{i}" for i in range(len(NAMES))))))
    assert page.open == []
    assert page.tags == plain.tags, "no name adds, or takes away, an element"
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert not re.search("[\x00\x07\x1b\u202e\u2066]", html)
