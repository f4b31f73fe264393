"""Random damage to crystal files, by accident and on purpose, as a hypothesis strategy."""

from random import Random

from hypothesis import strategies as st

from tests.properties.crystal_files import crystal_files

CANARY = "mark"  # the file or folder that smuggled code would make; no x, y, z, at which readers cut operations
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
    b"-x,-y,-z+len(str(__import__('os').mkdir('mark')))*0", b"__import__('os').mkdir('mark')", b"$(touch mark)",
    b"1/2+__import__('os').mkdir('mark'),y,z", b"exec(\"open('mark','w')\")", b"%s%n", b"{0.__class__}",
)  # fmt: skip
_FRAGMENTS = _WORDS + _NUMBERS + _BYTES + _CODE


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Damage in up to four places, chosen evenly over the file: hypothesis by itself prefers its beginning."""
    data = draw(crystal_files()).data()
    random = Random(draw(st.integers(0, 2**32)))  # noqa: S311 - not a secret
    for damage in draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=4)):
        data = damage(random, data)
    return data


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def _delete(random: Random, data: bytes) -> bytes:
    start = random.randint(0, len(data))
    return data[:start] + data[start + random.randint(1, 100) :]


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _insert(random: Random, data: bytes) -> bytes:
    at, around = random.randint(0, len(data)), random.choice([b"", b" ", b"\n"])
    return data[:at] + around + random.choice(_FRAGMENTS) + around + data[at:]


def _smuggle(random: Random, data: bytes) -> bytes:
    """Put code behind a ``z``: in a list of operations that is where most of them end."""
    ends = [at for at, byte in enumerate(data) if byte in b"zZ"]
    at = random.choice(ends) + 1 if ends else len(data)
    return data[:at] + b"+" + random.choice(_CODE) + data[at:]


def _replace_word(random: Random, data: bytes) -> bytes:
    words = data.split(b" ")
    words[random.randrange(len(words))] = random.choice(_FRAGMENTS)
    return b" ".join(words)


def _swap_words(random: Random, data: bytes) -> bytes:
    words = data.split(b" ")
    i, j = random.randrange(len(words)), random.randrange(len(words))
    words[i], words[j] = words[j], words[i]
    return b" ".join(words)


def _repeat_line(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.insert(random.randint(0, len(lines)), random.choice(lines))
    return b"\n".join(lines)


def _drop_line(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    del lines[random.randrange(len(lines))]
    return b"\n".join(lines)


DAMAGES = (_flip, _delete, _truncate, _insert, _smuggle, _replace_word, _swap_words, _repeat_line, _drop_line)
