"""Names are text: whatever they hold, it is shown, and does nothing where it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.messages import printable, printable_lines, shortened

HARMFUL = ["\n", "\r", "\t", "\0", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\udcff", "\u00ad"]
HARMFUL += [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0xFEFF)]


@pytest.mark.parametrize("sign", HARMFUL, ids=ascii)
def test_what_controls_how_a_text_is_shown_is_spelt_out(sign):
    shown = printable(f"roi{sign}3")
    assert shown == f"roi{sign.encode('unicode_escape').decode()}3"
    assert printable(shown) == shown


@pytest.mark.parametrize("name", ["roi 3", "Pérovskite α–δ", "钙钛矿", "a\u00a0b", "50 % [a]", r"C:\x", "😀"])
def test_letters_and_signs_of_all_scripts_stay(name):
    assert printable(name) == name


@given(st.text(st.characters()))
def test_a_printable_text_is_one_line_that_any_terminal_and_file_takes(name):
    shown = printable(name)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown


def test_lines_on_purpose_stay_lines():
    assert printable_lines("first\r\n\tsecond \x1b[31m\n") == "first\n        second \\x1b[31m\n"


@given(st.text(max_size=60), st.integers(5, 40))
def test_a_shortened_text_keeps_both_ends(text, most):
    short = shortened(text, most)
    assert len(short) == min(len(text), most)
    assert short[:2] == text[:2]
    assert short[-1:] == text[-1:]
