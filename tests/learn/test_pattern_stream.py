import tracemalloc

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError, InputError, StoreError
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.learn.data.split import Part, part_of

CHUNK = 256


class StoredRows:
    """Rows that name themselves: row i of dataset d holds (d, i, …); remembers what was read."""

    chunks = (CHUNK, 4)

    def __init__(self, dataset, n, n_q=4):
        self.dataset, self.shape, self.reads = dataset, (n, n_q), []

    def __getitem__(self, rows):
        self.reads.append((rows.start, rows.stop))
        index = np.arange(rows.start, rows.stop)
        values = np.zeros((len(index), self.shape[1]), np.float32)
        values[:, 0], values[:, 1] = self.dataset, index
        return values


def source(dataset, n, n_rows=None, classes=(0, 1, 2)):
    labels = (np.arange(n) % len(classes)).astype(np.uint8)[:, None]
    return PatternSource(f"sim-{dataset}", StoredRows(dataset, n), labels, n_rows or n, np.array(classes))


def stream(*sources, batch_size=50, pool_rows=1000, seed=5):
    return PatternStream(sources, 0.25, seed, batch_size, pool_rows)


def rows_of(batches):
    x, y = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return x[:, :2].astype(int), y


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr("difsims_core.learn.data.pattern_stream.WINDOW_ROWS", CHUNK)


@pytest.mark.parametrize("epoch", [None, 0, 3])
@pytest.mark.parametrize("part", list(Part))
def test_every_pattern_of_a_part_comes_exactly_once(small_windows, part, epoch):
    two = stream(source(0, 3001), source(1, 700))
    rows, classes = rows_of(two.batches(part, epoch))
    expected = [(d, i) for d, n in ((0, 3001), (1, 700)) for i in np.flatnonzero(part_of(range(n), 0.25, 5) == part)]
    assert sorted(map(tuple, rows.tolist())) == expected
    np.testing.assert_array_equal(classes, rows[:, 1] % 3)
    assert two.count(part) == len(expected)


def test_the_parts_of_all_datasets_agree_on_an_index():
    rows, _ = rows_of(stream(source(0, 900), source(1, 900)).batches(Part.TRAIN, 0))
    assert set(rows[rows[:, 0] == 0, 1]) == set(rows[rows[:, 0] == 1, 1])


def test_batches_are_full_except_the_last(small_windows):
    sizes = [len(y) for _, y in stream(source(0, 3001)).batches(Part.TRAIN, 0)]
    assert set(sizes[:-1]) == {50}
    assert 1 <= sizes[-1] <= 50
    assert len(sizes) == stream(source(0, 3001)).n_batches(Part.TRAIN)


def test_an_order_belongs_to_seed_and_epoch(small_windows):
    def order(seed, epoch):
        return rows_of(stream(source(0, 3000), source(1, 3000), seed=seed).batches(Part.TRAIN, epoch))[0].tolist()

    first = order(5, 0)
    assert order(5, 0) == first
    assert order(5, 1) != first
    assert sorted(order(5, 1)) == sorted(first)


def test_batches_mix_datasets_and_distant_shards(small_windows):
    many = stream(source(0, 40 * CHUNK), source(1, 40 * CHUNK), pool_rows=10 * CHUNK)
    for x, _ in list(many.batches(Part.TRAIN, 0))[:20]:
        assert 0 < x[:, 0].mean() < 1
        assert len(np.unique(x[:, 1] // CHUNK)) >= 5
        assert np.ptp(x[:, 1]) > 10 * CHUNK


def test_reads_are_whole_chunks_each_once_an_epoch(small_windows):
    one = source(0, 3001)
    list(stream(one).batches(Part.TRAIN, 0))
    assert sorted(one.x.reads) == [(start, min(start + CHUNK, 3001)) for start in range(0, 3001, CHUNK)]


def test_only_the_first_rows_are_used_when_asked():
    rows, _ = rows_of(stream(source(0, 3000, n_rows=500)).batches(Part.TRAIN, 0))
    assert rows[:, 1].max() < 500


def test_labels_become_the_classes_of_the_network():
    rows, classes = rows_of(stream(source(0, 900, classes=(2, 0, 1))).batches(Part.TRAIN, 0))
    np.testing.assert_array_equal(classes, np.array([2, 0, 1])[rows[:, 1] % 3])


def test_class_counts_are_those_of_the_part():
    some = stream(source(0, 3001), source(1, 700, classes=(2, 1, 0)))
    np.testing.assert_array_equal(
        some.class_counts(Part.TRAIN), np.bincount(rows_of(some.batches(Part.TRAIN))[1], minlength=3)
    )


def test_memory_follows_the_pool_not_the_data(small_windows):
    n_q = 128
    big = PatternSource("big", StoredRows(0, 400_000, n_q), np.zeros((400_000, 1), np.uint8), 400_000, np.array([0]))
    pool_bytes = 4 * n_q * 8192
    tracemalloc.start()
    try:
        seen = sum(len(y) for _, y in PatternStream((big,), 0.25, 0, 256, 8192).batches(Part.TRAIN, 0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen > 250_000
    assert peak < 6 * pool_bytes  # 25 MB; the data are 205 MB


def test_a_read_that_fails_stops_the_stream_with_its_own_error():
    class Broken(StoredRows):
        def __getitem__(self, rows):
            if rows.start:
                raise StoreError("the disk is gone")
            return super().__getitem__(rows)

    broken = PatternSource("sim", Broken(0, 9000), np.zeros((9000, 1), np.uint8), 9000, np.array([0, 1]))
    with pytest.raises(StoreError, match="the disk is gone"):
        list(stream(broken).batches(Part.TRAIN, 0))


def test_an_impossible_label_is_named():
    bad = PatternSource("sim-x", StoredRows(0, 900), np.full((900, 1), 3, np.uint8), 900, np.array([0, 1, 2]))
    with pytest.raises(CorruptDataError, match=r"sim-x: .* 0 … 2.* 3"):
        list(stream(bad).batches(Part.TRAIN, 0))


def test_nothing_to_read_is_refused():
    with pytest.raises(InputError):
        stream()
    with pytest.raises(InputError, match=r"batch_size.* 0"):
        stream(source(0, 10), batch_size=0)
