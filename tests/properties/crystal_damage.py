"""Random damage to crystal files, by accident and on purpose, as a hypothesis strategy."""

from hypothesis import strategies as st

from tests.properties.crystal_files import crystal_files

CANARY = "canary"  # the file or folder that smuggled code would make
_WORDS = (
    b"loop_", b"data_", b"save_x", b"global_", b"stop_", b"\n;", b";\n", b"'", b'"', b"_", b"?", b".", b"\n#", b"\r",
    b"_atom_site_label", b"_atom_site_fract_x", b"_cell_length_a", b"_symmetry_equiv_pos_as_xyz", b"R -3 c",
    b"_space_group_name_H-M_alt", b"'F d -3 m'", b"x" * 3000,
)  # fmt: skip
_NUMBERS = (
    b"nan", b"inf", b"-inf", b"1e400", b"1e-400", b"0", b"-1", b"1/0", b"x,y,z+1/0", b"99999999999999999999", b"1_000",
    b"0x10", b"1(", b"(2)", b"1e5",
)  # fmt: skip
_BYTES = (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b"\x1b[2J", b"\xed\xa0\x80", b"\xf0\x9f\x92\x8e")
_CODE = (
    b"-x,-y,-z+len(str(__import__('os').mkdir('canary')))*0", b"__import__('os').mkdir('canary')", b"%s%n",
    b"exec(\"open('canary','w')\")", b"!!python/object/apply:os.mkdir [canary]", b"$(touch canary)", b"{0.__class__}",
)  # fmt: skip
_FRAGMENTS = _WORDS + _NUMBERS + _BYTES + _CODE


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    data = draw(crystal_files()).data()
    for damage in draw(st.lists(st.sampled_from(_DAMAGES), min_size=1, max_size=4)):
        data = damage(draw, data)
    return data


def _flip(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, max(len(data) - 1, 0)))
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


def _delete(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    return data[:start] + data[start + draw(st.integers(1, 200)) :]


def _truncate(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _insert(draw: st.DrawFn, data: bytes) -> bytes:
    at, around = draw(st.integers(0, len(data))), draw(st.sampled_from([b"", b" ", b"\n"]))
    return data[:at] + around + draw(st.sampled_from(_FRAGMENTS)) + around + data[at:]


def _replace_word(draw: st.DrawFn, data: bytes) -> bytes:
    words = data.split(b" ")
    words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(_FRAGMENTS))
    return b" ".join(words)


def _swap_words(draw: st.DrawFn, data: bytes) -> bytes:
    words = data.split(b" ")
    i, j = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words) - 1))
    words[i], words[j] = words[j], words[i]
    return b" ".join(words)


def _repeat_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.insert(draw(st.integers(0, len(lines))), lines[draw(st.integers(0, len(lines) - 1))])
    return b"\n".join(lines)


def _drop_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.split(b"\n")
    del lines[draw(st.integers(0, len(lines) - 1))]
    return b"\n".join(lines)


_DAMAGES = (_flip, _delete, _truncate, _insert, _replace_word, _swap_words, _repeat_line, _drop_line)
