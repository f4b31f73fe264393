"""``large_filter`` is the historical network, layer by layer (docs/architecture.md §8)."""

import pytest

from difsims_core.errors import ModelError
from difsims_core.learn.networks import build_network


def test_it_has_exactly_the_published_number_of_weights():
    assert build_network("large_filter", input_shape=(147, 1), n_classes=3).count_params() == 164_931


def test_its_layers_are_the_published_ones():
    layers = build_network("large_filter", (147, 1), 3).layers
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == [
        *("Conv1D", "MaxPooling1D", "Conv1D", "MaxPooling1D", "Dropout"),
        *("Conv1D", "MaxPooling1D", "Flatten", "Dense", "Dense"),
    ]
    convolutions = [layer.get_config() for layer in layers if type(layer).__name__ == "Conv1D"]
    assert {(c["filters"], c["kernel_size"], c["activation"], c["padding"]) for c in convolutions} == {
        (64, (6,), "relu", "valid")
    }
    assert layers[4].rate == 0.5
    assert [tuple(layer.output.shape[1:]) for layer in layers] == [
        *((142, 64), (71, 64), (66, 64), (33, 64), (33, 64), (28, 64), (14, 64), (896,), (128,), (3,)),
    ]


def test_profiles_too_short_for_it_are_refused():
    assert build_network("large_filter", (43, 1), 3).output_shape == (None, 3)
    with pytest.raises(ModelError, match=r" 43 .* 42"):
        build_network("large_filter", (42, 1), 3)
