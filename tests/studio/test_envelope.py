"""The messages between a page and Python."""

import json

import numpy as np
import pytest

from pellucid.errors import ArgumentError
from pellucid.studio.envelope import pack, unpack


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "uint32"])
def test_arrays_arrive_with_dtype_shape_and_bits(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    (back,) = unpack(pack([array]))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array)


def test_values_are_as_they_were():
    value = {"a": [1, 2.5, "é", None, True], "b": {"c": float("-inf")}, "d": []}
    assert unpack(pack(value)) == value
    assert np.isnan(unpack(pack(float("nan"))))


def test_arrays_begin_at_multiples_of_eight_after_a_header_of_any_length():
    for n in range(20):
        message = pack({"x" * n: np.ones(n, np.uint8), "y": np.full(3, 7.0)})
        assert len(message) % 8 == 0
        np.testing.assert_array_equal(unpack(message)["y"], [7, 7, 7])


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xff\xff\xff{}",
        b"\x02\x00\x00\x00{}",
        pack({"a": np.ones(4)})[:-8],
        pack([1]).replace(b'"arrays": []', b'"arrays": 3.'),
        pack([np.ones(2)]).replace(b"float64", b"object_"),
        pack([np.ones(2)]).replace(b"[2]", b"[-2]"),
        pack([np.ones(2)]).replace(b'"$array": 0', b'"$array": 9'),
        pack([[]]).replace(b"[[]]", b"[" * 9000),
    ],
)
def test_anything_else_is_refused(message):
    with pytest.raises(ArgumentError, match="not a message"):
        unpack(message)


@pytest.mark.parametrize(
    "header",
    [
        {"value": {"$array": 0}, "arrays": [["uint8", [2**62, 4], 0]]},
        {"value": {"$array": 0}, "arrays": [["uint8", [0, 2**63], 0]]},
        {"value": {"$array": 0}, "arrays": [["uint8", [1], 2**63]]},
        {"value": {"$array": 0}, "arrays": [["uint8", [1] * 100, 0]]},
        {"value": {"$array": 0}, "arrays": [["uint8", [float("nan")], 0]]},
        {"value": {"$array": 0}, "arrays": [["uint8", [1], 64]]},
        {"value": {"$array": [0]}, "arrays": []},
        {"value": {"$number": 10**400}, "arrays": []},
        {"value": {"$number": "1e"}, "arrays": []},
    ],
    ids=str,
)
def test_numbers_that_overflow_in_a_header_are_refused(header):
    text = json.dumps(header).encode()
    message = len(text).to_bytes(4, "little") + text + bytes(-(4 + len(text)) % 8 + 16)
    with pytest.raises(ArgumentError, match="not a message"):
        unpack(message)
