"""Records are read whole or refused, and what is read can be written again."""

import hashlib
import json

import pytest

from difsims_core.errors import CorruptDataError, MalformedError
from difsims_core.plain_json import MOST_NESTED, read_json
from difsims_core.storage.objects import open_store
from difsims_core.storage.records import from_record, plain_document, to_record

DOCUMENT = {"format": 2, "name": "Pb\u2082 \U0001d11e", "values": [1, -0.5, 1e-300, None, True], "inner": {"a": {}}}


def sealed(rest: str) -> bytes:
    data = f"{rest}\n}}".encode("utf-8", "surrogatepass")
    return b'{\n "sha256": "%s",\n' % hashlib.sha256(data).hexdigest().encode() + data


def test_a_record_is_json_with_its_checksum_first(tmp_path):
    store = open_store(tmp_path)
    store.write_record("a.json", DOCUMENT)
    assert store.read_record("a.json") == DOCUMENT
    assert list(json.loads(store.read("a.json"))) == ["sha256", *DOCUMENT]


def test_every_flipped_bit_is_noticed():
    data = to_record(DOCUMENT)
    for at in range(8 * len(data)):
        changed = bytearray(data)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(CorruptDataError):
            from_record(bytes(changed), "a.json")


@pytest.mark.parametrize("cut", [0, 1, 50, 90, -1])
def test_a_part_of_a_record_is_none(cut):
    with pytest.raises(CorruptDataError, match=r"a\.json"):
        from_record(to_record(DOCUMENT)[:cut], "a.json")


@pytest.mark.parametrize(
    "rest",
    [
        ' "a": NaN', ' "a": -Infinity', ' "a": 1e999', r' "a": "\ud800"', ' "a": "\ud800"', ' "a": 1,\n "a": 2',
        ' "sha256": "again"', f' "a": {"[" * 200_000}', f' "a": {"[" * 200}{"]" * 200}', f' "a": {"9" * 5000}', ' "a"',
    ],
)  # fmt: skip
def test_what_could_not_be_written_again_is_refused_under_a_right_checksum(rest):
    with pytest.raises(CorruptDataError, match=r"^a\.json: "):
        from_record(sealed(rest), "a.json")


def test_a_record_of_an_earlier_version_names_the_remedy_and_can_be_read_on_purpose():
    with pytest.raises(CorruptDataError, match="`difsims convert`"):
        from_record(json.dumps(DOCUMENT).encode(), "a.json")
    assert plain_document(json.dumps(DOCUMENT).encode(), "a.json") == DOCUMENT
    with pytest.raises(CorruptDataError, match=r"^a\.json: .*\blist"):
        plain_document(b"[1]", "a.json")


@pytest.mark.parametrize("document", [{}, {"sha256": 1}, {"a": float("nan")}, {"a": float("inf")}, {"a": "\ud800"}])
def test_what_no_record_can_hold_is_not_written(document):
    with pytest.raises(ValueError, match=r"sha256|JSON compliant|surrogates"):
        to_record(document)


def test_nesting_ends():
    assert read_json("[" * MOST_NESTED + "]" * MOST_NESTED) is not None
    with pytest.raises(MalformedError, match=str(MOST_NESTED)):
        read_json("[" * (MOST_NESTED + 2) + "]" * (MOST_NESTED + 2))


def test_bytes_are_utf8():
    with pytest.raises(MalformedError, match=r"byte 1 .*UTF-8"):
        read_json(b'"\xff"')
