"""The text of the legacy form: tags of paramspace, what is refused, and nothing that is executed."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from difsims_core.config.legacy.convert import convert_document
from difsims_core.config.legacy.tagged_yaml import Dimension, read_old
from difsims_core.errors import SpecError


def read(folder, text, name="old.yml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_old(path)


@pytest.mark.parametrize(
    ("setter", "expected"),
    [
        ("values: [0, 5, x, null]", (0, 5, "x", None)),
        ("range: [4]", (0, 1, 2, 3)),
        ("range: [1, 8, 3]", (1, 4, 7)),
        ("linspace: [0, 1, 3]", (0.0, 0.5, 1.0)),
        ("logspace: [0, 2, 3]", (1.0, 10.0, 100.0)),
        ("values: [1, 2], as_type: str", ("1", "2")),
        ("values: [1, 2, 3], mask: [true, false, true]", (2,)),
        ("values: [1, 2], mask: true", (7,)),
        ("values: [[1, 2], {a: 3}]", ([1, 2], {"a": 3})),
    ],
)
@pytest.mark.parametrize("tag", ["!pdim", "!sweep"])
def test_dimensions(tmp_path, setter, expected, tag):
    found = read(tmp_path, f"a: {tag} {{default: 7, order: 2, name: n, {setter}}}")["a"]
    assert isinstance(found, Dimension)
    assert found.values == expected
    assert found.order == 2
    assert str(found.default) == "7"


def test_linspace_is_numpys(tmp_path):
    import numpy as np

    found = read(tmp_path, "a: !pdim {default: 0, linspace: [0.02, 10, 8]}")["a"]
    assert found.values == tuple(np.linspace(0.02, 10, 8).tolist())


def test_a_default_tag_is_its_default(tmp_path):
    assert read(tmp_path, "a: !pdim-default {default: 7, values: [1]}") == {"a": 7}


@pytest.mark.parametrize("tag", ["!pspace", "!pspace-unsorted"])
def test_a_space_is_a_mapping_and_plain_values_are_plain(tmp_path, tag):
    text = f"---\n# comment\nsim_params: {tag}\n  size: 55e-6\n  flag: False\n  none: null\n  list: [1., 0.5]\n"
    assert read(tmp_path, text) == {"sim_params": {"size": 55e-6, "flag": False, "none": None, "list": [1.0, 0.5]}}


@pytest.mark.parametrize(
    ("word", "value"),
    [("010", 10), ("0o10", 8), ("1_000", 1000), ("0b11", 3), ("10:30", "10:30"), ("yes", "yes"), (".5e3", ".5e3")],
)
def test_words_are_what_they_were_to_paramspace(tmp_path, word, value):
    """It reads with ``YAML(typ="safe")`` of ruamel.yaml, whose 1.2 is not in everything that of the standard."""
    found = read(tmp_path, f"a: {word}")["a"]
    assert (found, type(found)) == (value, type(value))
    assert YAML(typ="safe").load(f"a: {word}") == {"a": value}


def test_a_mark_of_windows_at_the_beginning_is_no_matter(tmp_path):
    assert read(tmp_path, "\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: !coupled-pdim {target_name: b}", "line 1: !coupled-pdim "),
        ("b: 1\na: !coupled-sweep {target_name: b}", "line 2"),
        ("a: !pdim {default: 1}", "values, range, linspace, logspace"),
        ("a: !pdim {values: [1]}", "default"),
        ("a: !pdim {default: 1, values: [1], range: [3]}", "values, range, linspace, logspace"),
        ("a: !pdim {default: 1, values: []}", "values"),
        ("a: !pdim {default: 1, values: 3}", " 3"),
        ("a: !pdim {default: 1, vals: [3]}", " vals"),
        ("a: !pdim [1, 2]", "line 1: "),
        ("a: !pdim {default: 1, range: [x]}", " range"),
        ("a: !pdim {default: 1, range: [100000000]}", " 10,000"),
        ("a: !pdim {default: 1, linspace: [0, 1, 1000000000]}", " 10,000"),
        ("a: !pdim {default: 1, logspace: [0, 999]}", "logspace"),
        ("a: !pdim {default: 1, values: [1], mask: [false, true]}", "mask "),
        ("a: !pdim {default: 1, values: [x], as_type: float}", "float"),
        ("a: !pdim {default: 1, values: [1], as_type: complex}", "complex"),
        ("a: !pdim {default: 1, values: [1], order: first}", "order"),
        ("a: !pdim {default: 1, values: [!pdim {default: 1, values: [2]}]}", "line 1: "),
        ("a: !linspace [0, 1, 3]", "!linspace"),
        ("a: !!python/object/apply:os.system [true]", "!!python/object/apply:os.system"),
        ("a: !pdimm {default: 1, values: [1]}", "'!pdim'"),
        ("a: !pdim {default: 1, values: [1], order: 1" + "0" * 400 + "}", "order"),
        ("a: !pdim {default: 1, values: [.inf], as_type: int}", "int"),
        ("a: 2020-01-01", "2020-01-01"),
        ("%YAML 1.1\n---\na: 010", "YAML 1.2"),
        ("b: {<<: {a: 1}}", "line 1: <<"),
        ("a: &x 1\nb: *x", "line 2: "),
        ("a: 1\na: 2", "line 2: "),
        ("a: [1, 2", "line 1"),
        ('a: "C:\\Users"', "line 1"),
        ("a: 1\n---\nb: 2", "line 2"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, text, expected):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "old.yml"))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2}', r"old\.json: .* a "),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1', "line 1, column 8"),
    ],
)
def test_json_is_read_as_strictly(tmp_path, text, expected):
    with pytest.raises(SpecError, match=expected):
        read(tmp_path, text, "old.json")


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "n_patterns: 100\nphases: [pbi2_2h]", "sim_params: 3", "sim_params: {}"]
)
def test_a_document_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "old.yml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"old\.yml: .*sim_params.*structure_parameters"):
        convert_document(path)


def test_a_missing_document(tmp_path):
    with pytest.raises(SpecError, match=r"old\.yml"):
        convert_document(tmp_path / "old.yml")
