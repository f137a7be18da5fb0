"""What a test case can't show: the messages of what is refused."""

import pytest

from handler import calculate


def test_a_singular_matrix_is_named_as_one():
    with pytest.raises(ValueError, match="singular"):
        calculate({"matrix": [[1, 2], [2, 4]]})


def test_a_matrix_that_is_singular_only_to_floats_is_refused_too():
    with pytest.raises(ValueError, match="working precision"):
        calculate({"matrix": [[1, 1], [1, 1 + 1e-16]]})


def test_a_ragged_matrix_is_no_matrix():
    with pytest.raises(ValueError, match="found 2 rows of 2, 1 elements"):
        calculate({"matrix": [[1, 2], [3]]})


def test_the_inverse_of_an_inverse_is_the_matrix():
    once = calculate({"matrix": [[4.0, 7.0], [2.0, 6.0]]})
    twice = calculate({"matrix": once["inverse"].tolist()})
    assert twice["inverse"].tolist() == [
        pytest.approx([4, 7], rel=1e-12),
        pytest.approx([2, 6], rel=1e-12),
    ]
