"""YAML 1.2: what words stand for (core schema, §10.3.2 of the standard), what is refused, and how it is said."""

from __future__ import annotations

import math
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.config.documents import load_spec
from difsims_core.config.yaml.reader import MOST_NESTED, read_yaml
from difsims_core.config.yaml.writer import write_yaml
from difsims_core.errors import MalformedError, SpecError
from tests.effort import examples

INTEGERS = {"010": 10, "08": 8, "+5": 5, "-0": 0, "-12": -12, "0o10": 8, "0x1F": 31, "0xdead": 57005}
FLOATS = {"1e5": 1e5, "1E5": 1e5, "1.e5": 1e5, ".5": 0.5, "-.5e+3": -500.0, ".5e3": 500.0, "5.": 5.0, "010.5": 10.5}
INFINITE = {".inf": math.inf, "-.INF": -math.inf, "+.Inf": math.inf, "1e999": math.inf}
OTHERS = {"~": None, "null": None, "Null": None, "NULL": None, "": None, "true": True, "TRUE": True, "False": False}
TEXTS = """
yes no on off Yes NO y n tRUE nULL 10:30 190:20:30.15 1_000 1_0.5 0.1_2 0b11 -0x1F +0o7 0o8 0x 2020-01-01 = 1.2.3 1e
2001-12-14T21:59:43Z 1e5.0 1,5 +.nan inf nan Infinity . + -. ².5 ٣ No Pb
""".split()  # noqa: SIM905


@pytest.mark.parametrize(
    ("word", "value"), [*(INTEGERS | FLOATS | INFINITE | OTHERS).items(), *((text, text) for text in TEXTS)]
)
def test_words_without_quotes(word, value):
    found = read_yaml(f"a: {word}")["a"]
    assert (found, type(found)) == (value, type(value))
    assert read_yaml(f"a: '{word}'") == {"a": word}
    assert read_yaml(f"a: ! {word}") == {"a": word}


def test_not_a_number():
    assert all(math.isnan(value) for value in read_yaml("[.nan, .NaN, .NAN]"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("%YAML 1.2\n---\na: 1\n", {"a": 1}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("yes: 1\nNo: 2", {"yes": 1, "No": 2}),
        ("a: &x 1", {"a": 1}),
        ("a: [!!str 010, !!int 010, !!float 1, !!null ~, !!bool true]", {"a": ["010", 10, 1.0, None, True]}),
        ("!!map {a: !!seq [1, {b: c}]}", {"a": [1, {"b": "c"}]}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ],
)
def test_texts(text, value):
    assert repr(read_yaml(text)) == repr(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [&x 1, *x]", r"^line 1: .*\*x"),
        ("seed: 1\nb: 2\nseed: 3", r"^line 3: .*\bseed\b"),
        ("a: {'b': 1, b: 2}", r"^line 1: .*\bb\b"),
        ("a: {<<: {b: 1}}", r"^line 1: <<"),
        ("1: a", r"^line 1: .* 1;"),
        ("~: a", r"^line 1: .* ~"),
        (": a", r"^line 1: .*\bkey\b"),
        ("? [a, b]\n: c", r"^line 1: .*\bkey\b"),
        ("a: 1\n---\nb: 2", r"^line 2: "),
        ("# old\n%YAML 1.1\n---\na: 010", r"^line 2: '%YAML 1\.1'"),
        ("%YAML 2.0\n---\na: 1", r"^line 1: '%YAML 2\.0'"),
        ("a: !foo 1", r"^line 1: .*!foo"),
        ("!!python/object/apply:os.system [true]", r"^line 1: .*!!python/object/apply:os\.system"),
        ("a: !!set {x}", r"!!set"),
        ("a: !!binary aGk=", r"!!binary"),
        ("a: !!timestamp 2020-01-01", r"!!timestamp"),
        ("a: !<!x%1B%0Ay> b", r"!x\? y"),
        ("a: !!seq x", r"!!seq"),
        ("a: !!str {b: c}", r"!!str"),
        ("a: !!int x", r"^line 1: 'x'"),
        ("a: !!bool yes", r"^line 1: 'yes'"),
        ("a: 1" + "0" * 5000, r"^line 1: '1000000"),
        ("a: 1\nb: \x07", r"^line 2: .*U\+0007"),
        (r'a: "\ud800"', r"'\\ud800'"),
        (r'a: "\UFFFFFFFF"', r"\\U"),
        (r'a: "\U00110000"', r"\\U"),
        (r'a: "C:\Users"', r"\\\\"),
        ("a:\n\tb: 1", r"^line 2, column 1: .*\btab\b"),
        ("a: [1, 2\n\n", r"^line 3, column 1: .*\bbracket\b.* 1 "),
        ("a: {b: 1\nc: 2", r"^line 2, column 2: .*\bcomma\b.* 1 "),
        ("a: [1]]", r"^line 1, column 7: .*\]"),
        ("a: [1,, 2]", r"','"),
        ("a: [", r"\bbracket\b"),
        ("a: 'b\nc: d", r"^line 2, column 5: .*\bquote\b.* 1 "),
        ("a: 'it's'", r"\bquotes\b"),
        ("a: @b", r"^line 1, column 4: .*'@'"),
        ("a: *", r"&.*\*"),
        ("n_patterns 5\nseed: 3", r"'key: value'"),
        ("seed: 3\nn_patterns 5", r"'key: value'.* 2,"),
        ("a:\n  b: 1\n c: 2", r"^line 3, column 2: .* 1"),
        ("a: - 1", r"'- '.*\[a, b\]"),
        ("a: |x\n y", r"\|.*>"),
        ("[1] [2]", r"^line 1, column 5: "),
    ],
)
def test_what_is_refused_is_said_in_one_line(text, words):
    with pytest.raises(MalformedError) as caught:
        read_yaml(text)
    assert re.search(words, str(caught.value))
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 250


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("text", ["[" * 10**6, "{a: " * 10**5, "- " * 10**5, "? " * 10**5, nested(MOST_NESTED + 2)])
def test_a_deep_document_is_refused(text):
    with pytest.raises(MalformedError, match=f" {MOST_NESTED} "):
        read_yaml(text)


def test_a_document_of_the_greatest_depth_is_read():
    assert str(read_yaml(nested(MOST_NESTED + 1))) == nested(MOST_NESTED + 1)


def test_a_document_of_very_many_values_is_refused():
    with pytest.raises(MalformedError, match="100,000"):
        read_yaml("-\n" * 100_001)


WORDS = (
    st.text()
    | st.text(alphabet="0123456789abxeEo_+-.:infas é~")
    | st.text(alphabet=" \n\t:#-'\"a?[]{},&*!|>%@\x85\u2028")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.sampled_from(TEXTS),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(WORDS | st.sampled_from(TEXTS), parts, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=examples(400))
@given(VALUES, st.booleans())
def test_what_is_written_is_read_as_what_it_was(value, in_one_line):
    text = write_yaml([value], in_one_line=in_one_line)
    assert repr(read_yaml(text)) == repr([value])
    assert not in_one_line or text.count("\n") == 1


@pytest.mark.parametrize(
    "word", [*INTEGERS, *FLOATS, *INFINITE, *OTHERS, *TEXTS, ".nan", "<<", "*a", "&a", "- a", "a: b"]
)
def test_a_text_that_looks_like_another_value_stays_text(word):
    assert read_yaml(write_yaml({word: word})) == {word: word}


def test_a_list_that_stands_twice_is_written_twice():
    twice = [1, 2]
    assert read_yaml(write_yaml({"b": twice, "a": twice})) == {"b": [1, 2], "a": [1, 2]}
    assert write_yaml({"b": [1], "a": 1e-05}) == "b:\n- 1\na: 1e-05\n"


@settings(deadline=None, max_examples=examples(400))
@given(st.text(alphabet="ab01 \n\t:#-'\"?[]{},&*!|>%@\\xuU\x07\r~<=YAML.", max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(MalformedError):
        read_yaml(text)


@pytest.mark.parametrize("digits", ["0x" + "f" * 4000, "1" * 5000])
def test_an_absurdly_long_integer_is_refused_in_one_line(tmp_path, digits):
    document = tmp_path / "spec.yaml"
    document.write_text(f"n_patterns: {digits}\n")
    with pytest.raises(SpecError, match=re.escape(digits[:10])) as caught:
        load_spec(document)
    assert len(str(caught.value)) < 400


def test_an_integer_beyond_any_float_is_refused_in_one_line(tmp_path):
    document = tmp_path / "spec.yaml"
    document.write_text(f"diffraction: {{thickness_angstrom: 1{'0' * 400}}}\n")
    with pytest.raises(SpecError):
        load_spec(document)
