"""Pickles of the book's: the arrays of every writer are read, and nothing else is done."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.pickles import (
    EMPTY,
    NDARRAY,
    RECONSTRUCT,
    array,
    as_dict,
    dtype,
    number,
    python2,
    text,
)
from pellucid.data.pickled_batch import read_pickled_batch
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.formats import read_pickle, write_pickle

BASE = np.arange(24).reshape(2, 3, 4)
DTYPES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
LAYOUTS = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "transposed": lambda a: a.T,
    "axes swapped": lambda a: np.ascontiguousarray(a).transpose(1, 0, 2),
    "every second": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype),
    "empty": lambda a: a[:0],
    "0-d": lambda a: a[1, 2, 3],
}


def _read(content: bytes, folder: Path) -> dict[str, np.ndarray]:
    path = folder / "params.pkl"
    path.write_bytes(content)
    return read_pickle(path)


def _assert_same(read, written):
    assert read.dtype == np.asarray(written).dtype.newbyteorder("=")
    assert read.flags.c_contiguous
    assert read.flags.writeable
    np.testing.assert_array_equal(read, written)


# What is read.


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_type_and_order_are_read_as_they_were_pickled(protocol, layout, tmp_path):
    params = {
        order + code: LAYOUTS[layout](BASE.astype(code).astype(order + code))
        for code in DTYPES
        for order in "<>"
    }
    read = _read(pickle.dumps(params, protocol), tmp_path)
    assert list(read) == list(params)
    for name, values in params.items():
        _assert_same(read[name], values)


@given(
    shape=st.lists(st.integers(0, 4), max_size=5),
    axes=st.randoms(use_true_random=False),
    code=st.sampled_from(DTYPES),
    protocol=st.integers(2, 5),
)
def test_any_shape_is_read(shape, axes, code, protocol, tmp_path_factory):
    order = axes.sample(range(len(shape)), len(shape))
    values = np.arange(np.prod(shape, dtype=int)).astype(code).reshape(shape).transpose(order)
    read = _read(pickle.dumps({"a": values, "b": values}, protocol), tmp_path_factory.mktemp("p"))
    _assert_same(read["a"], values)
    _assert_same(read["b"], values)


def _book_like(rng=None) -> dict[str, np.ndarray]:
    rng = rng or np.random.default_rng(0)
    return {
        "W1": rng.normal(size=(3, 1, 5, 5)), "b1": rng.normal(size=3).astype(">f4"),
        "W2": np.asfortranarray(rng.normal(size=(27, 10))), "b2": np.zeros(10, np.float16),
    }  # fmt: skip


def test_what_python_2_wrote_is_read(tmp_path):
    content = python2(_book_like())
    expected = pickle.loads(content, encoding="latin1")  # it is a pickle indeed
    read = _read(content, tmp_path)
    for name, values in _book_like().items():
        _assert_same(read[name], values)
        np.testing.assert_array_equal(expected[name], values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("fortran", [False, True])
def test_what_numpy_1_wrote_is_read(order, fortran, tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    data = values.astype(f"{order}f8").tobytes("F" if fortran else "C")
    content = as_dict(array((2, 3), "f8", data, order, fortran=fortran))
    np.testing.assert_array_equal(pickle.loads(content)["W1"], values)
    _assert_same(_read(content, tmp_path)["W1"], values)


@pytest.mark.parametrize("home", ["numpy.core", "numpy._core"])
def test_the_names_of_numpy_1_and_2_are_read_in_protocol_5(home, tmp_path):
    data = b"\x96" + struct.pack("<Q", 16) + np.array([1.5, -2]).tobytes()
    call = f"c{home}.numeric\n_frombuffer\n(".encode() + data + dtype("f8") + b"K\x02\x85"
    read = _read(as_dict(call + text("C") + b"tR", protocol=5), tmp_path)
    assert read["W1"].tolist() == [1.5, -2]


def test_plain_numbers_become_arrays_without_axes(tmp_path):
    read = _read(pickle.dumps({"b1": 0.5, "b2": -3, "b3": np.float32(2.5)}), tmp_path)
    assert {name: a.item() for name, a in read.items()} == {"b1": 0.5, "b2": -3, "b3": 2.5}
    assert all(a.shape == () for a in read.values())


def test_one_array_may_stand_under_two_names(tmp_path):
    tied = np.zeros(10)
    read = _read(pickle.dumps({"W1": np.ones((9, 9)), "b1": tied, "b2": tied}), tmp_path)
    read["b1"] += 1
    assert read["b2"].tolist() == [0] * 10


# What is written.


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read_by_pickle_and_by_us(layout, tmp_path):
    arrays = {o + c: LAYOUTS[layout](BASE.astype(o + c)) for c in DTYPES for o in "<>"}
    write_pickle(tmp_path / "params.pkl", arrays)
    content = (tmp_path / "params.pkl").read_bytes()
    for read in (pickle.loads(content), read_pickle(tmp_path / "params.pkl")):
        assert list(read) == list(arrays)
        for name, values in arrays.items():
            assert read[name].shape == np.shape(values)
            _assert_same(read[name], values)


def test_what_is_written_names_nothing_that_an_older_numpy_or_python_lacks(tmp_path):
    write_pickle(tmp_path / "params.pkl", _book_like())
    content = (tmp_path / "params.pkl").read_bytes()
    assert content[:2] == b"\x80\x03"
    assert b"numpy.core.multiarray\n" in content
    assert b"_core" not in content


@pytest.mark.parametrize(
    "bad", [np.array(["a"]), np.zeros(2, object), np.zeros(2, complex), np.zeros(2, "f4,f4")],
    ids=["text", "object", "complex", "fields"],
)  # fmt: skip
def test_an_array_of_something_else_is_not_written(bad, tmp_path):
    with pytest.raises(ArgumentError, match=r"^write_pickle: 'odd' is \d+ bytes of .*real numbers"):
        write_pickle(tmp_path / "params.pkl", {"W1": BASE, "odd": bad})
    assert list(tmp_path.iterdir()) == []


# What is refused: nothing runs, little memory is taken.


class Call:
    def __init__(self, *call, state=None):
        self.call = call if state is None else (*call, state)

    def __reduce__(self):
        return self.call


class Stateful:
    def __init__(self, marker):
        self.marker = marker

    def __setstate__(self, state):
        Path(state["marker"]).touch()


class Derived(np.ndarray):
    def __setstate__(self, state):
        Path("owned").touch()


def _stacked(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


TOUCH = "__import__('pathlib').Path('owned').touch()"
MALICIOUS = {
    "os.system": Call(os.system, ("touch owned",)),
    "os.mkdir": Call(os.mkdir, ("owned",)),
    "eval": Call(eval, (TOUCH,)),
    "exec": Call(exec, (TOUCH,)),
    "subprocess": Call(subprocess.check_call, (["touch", "owned"],)),
    "getattr": Call(getattr, (Path("owned"), "touch")),
    "a method": Call(Path("owned").touch, ()),
    "numpy.load": Call(np.load, ("owned.npy",)),
    "numpy.memmap": Call(np.memmap, ("owned", "u1", "w+", 0, (9,))),
    "numpy.save": Call(np.save, ("owned", 1)),
    "an array of objects": np.array([Call(os.mkdir, ("owned",))], dtype=object),
    "an array of fields": np.zeros(3, "f4,i4"),
    "an array of texts": np.array(["a", "b"]),
    "an array of times": np.zeros(3, "M8[s]"),
    "a class of arrays": np.zeros(3).view(Derived),
    "a masked array": np.ma.masked_array([1.0, 2.0], [True, False]),
    "an object with a state": Stateful("owned"),
    "copyreg": Call(copyreg._reconstructor, (Stateful, object, None), state={"marker": "owned"}),
    "a set": {1, 2, 3},
    "a complex number": 3j,
    "a class": Stateful,
}  # fmt: skip
MALICIOUS["a dict in itself"] = {}
MALICIOUS["a dict in itself"]["W1"] = MALICIOUS["a dict in itself"]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", MALICIOUS)
def test_nothing_that_a_pickle_asks_for_is_done(name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (
        pickle.dumps({"W1": MALICIOUS[name]}, protocol),
        pickle.dumps({"W1": np.ones(3), "W2": [MALICIOUS[name]]}, protocol),
    ):
        with pytest.raises(FileFormatError, match=r"params\.pkl' ?(names|has|in|is|holds)|^'W\d'"):
            _read(content, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["params.pkl"]


def test_the_malicious_ones_would_have_worked(tmp_path, monkeypatch):
    for name in ("os.system", "os.mkdir", "eval", "exec", "subprocess", "a method"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        pickle.loads(pickle.dumps({"W1": MALICIOUS[name]}))
        assert (folder / "owned").exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval", "builtins getattr", "builtins bytes", "__builtin__ eval", "os system",
        "posix system", "nt system", "subprocess Popen", "importlib import_module", "pickle loads",
        "operator attrgetter", "functools partial", "copyreg _reconstructor", "types FunctionType",
        "numpy load", "numpy memmap", "numpy fromfile", "numpy array", "numpy frombuffer",
        "numpy ndarray.tofile", "numpy.core.multiarray array", "numpy.core.multiarray fromfile",
        "numpy.core.multiarray _reconstruct.__globals__", "numpy.core.multiarray _Reconstruct",
        "numpy.core multiarray", "numpy.testing._private.utils runstring", "numpy.testing rundocs",
        "numpy.f2py.crackfortran myeval", "numpy._core._internal _reconstruct",
        "numpy.core.numeric _frombuffer.__class__", "numpy.distutils.exec_command exec_command",
        "codecs encode", "_codecs decode", "_codecs encode ", " numpy dtype", "numpy. dtype",
        "pellucid.formats.pickle_names NAMES", "collections OrderedDict", "NUMPY ndarray",
    ],
)  # fmt: skip
def test_only_exact_names_are_known_and_none_is_imported(name, tmp_path):
    before = set(sys.modules)
    module, _, attribute = name.rpartition(" ") if name[-1] != " " else name[:-1].partition(" ")
    attribute += " " * (name[-1] == " ")
    for naming in (f"c{module}\n{attribute}\n".encode(), _stacked(module, attribute)):
        with pytest.raises(FileFormatError, match=r"params\.pkl' names .*, which a dict of arrays"):
            _read(as_dict(naming + text("touch owned") + b"\x85R", protocol=4), tmp_path)
    assert set(sys.modules) == before


def test_what_a_name_would_do_to_a_terminal_is_not_done(tmp_path):
    with pytest.raises(FileFormatError) as refusal:
        _read(b"\x80\x03c\x1b[2J\x1b]0;owned\x07\n" + b"\xff" * 90 + b"\n.", tmp_path)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value).replace(str(tmp_path), "")) < 300


DATA = np.arange(4.0).tobytes()
GOOD = array((4,), "f8", DATA)
FEW = {
    "_reconstruct of a name that is no class": RECONSTRUCT + RECONSTRUCT + b"K\x00\x85C\x01b\x87R",
    "_reconstruct of a dtype": RECONSTRUCT + b"cnumpy\ndtype\n" + b"K\x00\x85C\x01b\x87R",
    "_reconstruct of another size": RECONSTRUCT + NDARRAY + number(2**40) + b"\x85C\x01b\x87R",
    "_reconstruct of another kind": RECONSTRUCT + NDARRAY + b"K\x00\x85C\x02O8\x87R",
    "_reconstruct without arguments": RECONSTRUCT + b")R",
    "an array without numbers": EMPTY,
    "ndarray, called": NDARRAY + number(2**40) + b"\x85R",
    "dtype O": array((4,), "O8", DATA, "|"),
    "dtype O by its letter": array((4,), "O", DATA),
    "dtype V": array((4,), "V8", DATA, "|"),
    "dtype U": array((4,), "U2", DATA),
    "dtype by a comma": array((4,), "f4,f4", DATA),
    "dtype with a shape": array((4,), "(9,)f8", DATA),
    "dtype of fields": EMPTY + b"(K\x01K\x04\x85" + dtype(
        "f8", "<", b"N" + text("x") + b"\x85}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
    ) + b"\x89B\x20\0\0\0" + DATA + b"tb",
    "dtype of no order": array((4,), "f8", DATA, "="),
    "dtype of no order known": array((4,), "f8", DATA, "<<"),
    "dtype without a state": EMPTY + b"(K\x01K\x04\x85cnumpy\ndtype\n" + text("f8")
    + b"K\x00K\x01\x87RN" + b"b\x89B\x20\0\0\0" + DATA + b"tb",
    "dtype with metadata": EMPTY + b"(K\x01K\x04\x85" + dtype(
        "f8", "<", b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}"
    ) + b"\x89B\x20\0\0\0" + DATA + b"tb",
    "a shape too large": array((5,), "f8", DATA),
    "a shape too small": array((3,), "f8", DATA),
    "a shape that overflows": array((2**32, 2**32), "f8", DATA),
    "a shape that overflows to the size": array((2**62 + 1, 4), "f8", DATA),
    "a shape of gigabytes": array((2**30,), "f8", DATA),
    "a negative shape": array((-4,), "f8", DATA),
    "two negative sizes": array((-2, -2), "f8", DATA),
    "nothing by a lot": array((0, 2**62), "f8", b""),
    "a hundred axes": array((1,) * 99 + (4,), "f8", DATA),
    "an empty array of no bytes and one number": array((), "f8", b""),
    "a shape of floats": EMPTY + b"(K\x01G@\x10\0\0\0\0\0\0\x85" + dtype("f8") + b"\x89B\x20\0\0\0"
    + DATA + b"tb",
    "a shape that is a list": EMPTY + b"(K\x01]K\x04a" + dtype("f8") + b"\x89B\x20\0\0\0"
    + DATA + b"tb",
    "a shape of lists": EMPTY + b"(K\x01]\x85" + dtype("f8") + b"\x89B\x20\0\0\0" + DATA + b"tb",
    "numbers in a list": EMPTY + b"(K\x01K\x01\x85" + dtype("f8") + b"\x89]K\x01atb",
    "numbers in a text": EMPTY + b"(K\x01K\x01\x85" + dtype("f8") + b"\x89" + text("8 bytes!")
    + b"tb",
    "version 2": EMPTY + b"(K\x02K\x04\x85" + dtype("f8") + b"\x89B\x20\0\0\0" + DATA + b"tb",
    "filled in twice": GOOD + b"(K\x01K\x04\x85" + dtype("f8") + b"\x89B\x20\0\0\0" + DATA + b"tb",
    "a dict filled in": b"}}b",
    "a list filled in": b"]}b",
    "a name filled in": NDARRAY + b"}b",
    "a dtype filled in twice": dtype("f8") + b"(K\x03" + text(">")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
    "a chain of getattr": b"cbuiltins\ngetattr\ncpathlib\nPath\n" + text("owned") + b"\x85R"
    + text("touch") + b"\x86R)R",
    "a dtype alone": dtype("f8"),
    "a name alone": NDARRAY,
    "a text, called": text("os.system") + text("touch owned") + b"\x85R",
    "a number, called": b"K\x05)R",
    "an array, called": GOOD + b")R",
    "a call with no tuple": RECONSTRUCT + b"]R",
    "encode to another": b"c_codecs\nencode\n" + text("a") + text("rot_13") + b"\x86R",
    "encode bytes": b"c_codecs\nencode\nC\x01a" + text("latin1") + b"\x86R",
    "encode what latin1 lacks": b"c_codecs\nencode\n" + text("한") + text("latin1") + b"\x86R",
    "bytes of a size": b"c__builtin__\nbytes\n" + number(2**40) + b"\x85R",
    "frombuffer of no buffer": b"cnumpy.core.numeric\n_frombuffer\n(K\x05" + dtype("f8")
    + b"K\x00\x85" + text("C") + b"tR",
    "frombuffer in no order": b"cnumpy.core.numeric\n_frombuffer\n(B\x20\0\0\0" + DATA
    + dtype("f8") + b"K\x04\x85" + text("Z") + b"tR",
    "frombuffer with odd axes": b"cnumpy.core.numeric\n_frombuffer\n(B\x20\0\0\0" + DATA
    + dtype("f8") + b"K\x04\x85" + text("K") + b"K\x01\x85tR",
    "a scalar of two": b"cnumpy.core.multiarray\nscalar\n" + dtype("f8") + b"B\x20\0\0\0" + DATA
    + b"\x86R",
    "a scalar of an object": b"cnumpy.core.multiarray\nscalar\n" + dtype("O8", "|") + b"N\x86R",
    "a key that is a number": GOOD + b"K\x05" + GOOD,
    "a key that is a list": GOOD + b"]" + GOOD,
    "a value that is a list": b"]",
    "a value that is a text": text("a"),
    "a value that is None": b"N",
    "a value that is True": b"\x88",
    "a huge number": b"\x8a\xff" + b"\x7f" * 255,
    "two dicts": b"}" + GOOD + b"}",
    "a key too many": GOOD + text("W9"),
    "an endless memo": b"h\x99",
    "what the memo has not": b"j\xff\xff\xff\xff",
    "a mark as a value": b"(",
    "EXT1": b"\x82\x01", "EXT2": b"\x83\x01\x01", "EXT4": b"\x84\x01\x01\x01\x01",
    "INST": b"(ios\nsystem\n", "OBJ": b"(cnumpy\nndarray\no", "PERSID": b"Pid\n",
    "BINPERSID": text("id") + b"Q", "NEWOBJ": NDARRAY + b")\x81", "NEWOBJ_EX": NDARRAY + b")}\x92",
    "POP": b"N0N", "DUP": b"N2", "POP_MARK": b"(N1", "NEXT_BUFFER": b"\x97",
    "READONLY_BUFFER": GOOD + b"\x98", "ADDITEMS": b"\x8f(N\x90", "FROZENSET": b"(\x91",
    "a length of BINBYTES": b"B\xff\xff\xff\xff", "a length of BINBYTES8": b"\x8e" + b"\xff" * 8,
    "a length of BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**40),
    "a length of BINUNICODE8": b"\x8d" + struct.pack("<Q", 2**62),
    "a length of BINUNICODE": b"X\xff\xff\xff\xff", "a length of BINSTRING": b"T\xff\xff\xff\x7f",
    "a negative length of BINSTRING": b"T\xff\xff\xff\xff",
    "LONG4": b"\x8b\xff\xff\xff\x7f", "LONG in digits": b"L" + b"9" * 10**5 + b"L\n",
    "a text that is none": b"X\x01\0\0\0\xff",
    "a frame too long": b"\x95" + struct.pack("<Q", 2**60) + GOOD,
    "a frame that ends within": b"\x95" + struct.pack("<Q", 3) + GOOD,
    "a frame in a frame": b"\x95" + struct.pack("<Q", 40) + b"\x95" + bytes(8) + GOOD,
    "protocol 6": b"\x80\x06" + GOOD,
}  # fmt: skip


@pytest.mark.parametrize("name", FEW)
def test_what_is_not_an_array_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileFormatError) as refusal:
        _read(as_dict(FEW[name], protocol=5), tmp_path)
    assert "params.pkl'" in str(refusal.value)
    assert "object at 0x" not in str(refusal.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["params.pkl"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a shape too large", r"\(an array \(5\) of float64 has 32 bytes\)\.$"),
        ("a shape of gigabytes", r"an array \(1073741824\) of float64 has 32 bytes"),
        ("a negative shape", r"an array has the shape \(-4\)"),
        ("dtype O", r"its dtype is 'O8'; known are b1, f2, f4, "),
        (
            "_reconstruct of another size",
            r"it creates an array with the arguments \(1099511627776\)",
        ),
        ("a length of BINBYTES", r"BINBYTES at byte \d+ needs 4,294,967,295 bytes, and \d+ follow"),
        ("a length of BYTEARRAY8", r"BYTEARRAY8 at byte \d+ needs 1,099,511,627,776 bytes"),
        ("a frame too long", r"a frame reaches to byte \d+ of \d+"),
        ("a frame that ends within", r"the frame that ends at byte \d+ ends within an instruction"),
        ("EXT1", "has the instruction EXT1, which a dict of arrays does not need"),
        ("PERSID", "has the instruction PERSID, which a dict of arrays does not need"),
        ("protocol 6", "its protocol is 6; 2 to 5 are supported"),
        ("a value that is a list", "^'W1' in '.*' is a list, not an array"),
    ],
)
def test_the_refusal_names_what_was_found(name, said, tmp_path):
    with pytest.raises(FileFormatError, match=said):
        _read(as_dict(FEW[name], protocol=5), tmp_path)


@pytest.mark.parametrize("kind", ["list", "dict", "tuple"])
def test_no_list_dict_or_tuple_stands_in_two_places(kind, tmp_path):
    begin = {"list": b"]", "dict": b"}", "tuple": b"K\x01\x85"}[kind] + b"q\x00"
    with pytest.raises(FileFormatError, match=rf"\(it uses one {kind} twice\)\.$"):
        _read(as_dict(begin + b"h\x00\x86"), tmp_path)
    with pytest.raises(FileFormatError, match=rf"\(it uses one {kind} twice\)\.$"):
        read_pickled_batch(as_dict(begin + b"h\x00\x86"), "batch")


def test_the_good_one_among_them_is_read(tmp_path):
    assert _read(as_dict(GOOD), tmp_path)["W1"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty."),
        (b"\x80", "is not a valid pickle"),
        (
            b"hello, I am a text\n",
            "is a text file .*, not a pickle of a dict of arrays. Give a params.pkl",
        ),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a PNG picture, not a pickle of a dict of arrays"),
        (b"PK\x03\x04" + bytes(50), "is a zip archive, not a pickle of a dict of arrays"),
        (bytes(1000), "is a file of zeros only, not a pickle"),
        (b"\x80\x03.", "is not a valid pickle of a dict of arrays"),
        (b"\x80\x03].", "holds a list, not a dict"),
        (b"\x80\x03" + GOOD + b".", r"params.pkl' holds an array, not a dict\.$"),
        (as_dict(GOOD) + b"x", "1 bytes follow its end"),
        (as_dict(GOOD) * 2, "bytes follow its end"),
        (b"\x80\x03}}.", "is not a valid pickle"),
        (pickle.dumps({"W1": BASE}, 0), "dump it again with `protocol=2`"),
        (pickle.dumps({"W1": BASE}, 1), "dump it again with `protocol=2`"),
        (
            pickle.dumps({"W1": pickle.PickleBuffer(BASE)}, 5, buffer_callback=[].append),
            "dump it again without `buffer_callback`",
        ),
    ],
)
def test_the_refusal_says_what_is_in_the_way(content, said, tmp_path):
    with pytest.raises(FileFormatError, match=said):
        _read(content, tmp_path)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"^there is no file '.*gone\.pkl'\.$"):
        read_pickle(tmp_path / "gone.pkl")
    os.mkfifo(tmp_path / "pipe.pkl")
    for name, what in ((".", "a folder"), ("pipe.pkl", "not a regular file but a pipe")):
        with pytest.raises(FileFormatError, match=rf"' is {what}.*, not a pickle of a dict of arr"):
            read_pickle(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_cut_anywhere_is_refused(protocol, tmp_path):
    whole = pickle.dumps({"W1": np.ones((2, 3)), "b1": np.asfortranarray(np.eye(2))}, protocol)
    for length in range(len(whole)):
        with pytest.raises(FileFormatError):
            _read(whole[:length], tmp_path)


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("mask", [1, 0xFF])
def test_a_changed_byte_is_refused_or_changes_an_array(protocol, mask, tmp_path):
    whole = pickle.dumps({"W1": np.ones((2, 3)), "b1": np.asfortranarray(np.eye(2))}, protocol)
    for place, byte in enumerate(whole):
        changed = whole[:place] + bytes([byte ^ mask]) + whole[place + 1 :]
        try:
            read = _read(changed, tmp_path)
        except FileFormatError:
            continue
        assert all(type(a) is np.ndarray and a.nbytes <= len(whole) for a in read.values())


@given(st.binary(max_size=60), st.integers(0, 3))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, begin):
    heads = (b"", b"\x80\x03", b"\x80\x05}(" + text("W1"), b"\x80\x03}(" + text("W1") + GOOD)
    with suppress(FileFormatError):
        _read(heads[begin] + content, tmp_path_factory.mktemp("any"))


LAUGHS = b"]q\x00" + b"".join(b"](" + b"h%c" % k * 10 + b"eq%c" % (k + 1) for k in range(30))
TUPLES = b")q\x00N\x85q\x00" + b"".join(b"h%c" % k * 3 + b"\x87q%c" % (k + 1) for k in range(200))
NESTED_SHARED = b"N\x85q\x00" + b"".join(b"h%ch%c\x86q%c" % (k, k, k + 1) for k in range(200))
MEGABYTE = array((2**20,), "u1", bytes(2**20), "|")
GREEDY = {
    "lists of lists": as_dict(LAUGHS),
    "tuples of tuples": as_dict(TUPLES),
    "a tuple of tuples as a key": b"\x80\x03}" + NESTED_SHARED + b"Ns.",
    "a tuple of tuples as a name": b"\x80\x04" + NESTED_SHARED + text("x") + b"\x93.",
    "a tuple of tuples as a shape": as_dict(
        EMPTY + b"(K\x01" + NESTED_SHARED + dtype("f8") + b"\x89C\x00tb"
    ),
    "one array under a thousand names": as_dict(MEGABYTE + b"q\x05", *[b"h\x05"] * 1000),
    "dicts without end": b"\x80\x03" + b"}" * 10**6 + b".",
    "marks without end": b"\x80\x03" + b"(" * 10**6 + b".",
    "memos without end": b"\x80\x04K\x01" + b"\x94" * 10**6 + b".",
    "tuples in tuples": b"\x80\x03N" + b"\x85" * 10**6 + b".",
    "lists in lists": b"\x80\x03" + b"]" * 10**6 + b"a" * 10**6 + b".",
    "empty arrays without end": as_dict(*[array((0,), "f8", b"")] * 10**4),
    "a memo far out": b"\x80\x03}r\xff\xff\xff\xff.",
    **{name: as_dict(FEW[name], protocol=5) for name in FEW if "length" in name or "shape" in name},
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"}.",
    "a long number": as_dict(b"\x8a\xff" + b"\x7f" * 255),
    "digits without end": as_dict(b"I" + b"9" * 10**6 + b"\n"),
}


@pytest.mark.parametrize("name", GREEDY)
def test_memory_stays_in_proportion_to_the_file(name, tmp_path):
    path = tmp_path / "params.pkl"
    path.write_bytes(GREEDY[name])
    tracemalloc.start()
    try:
        if name != "a memo far out":
            with pytest.raises(FileFormatError):
                read_pickle(path)
        else:
            assert read_pickle(path) == {}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20 + 2 * len(GREEDY[name])


def test_a_large_file_takes_its_size_a_few_times(tmp_path):
    write_pickle(tmp_path / "params.pkl", {"W1": np.ones(4 * 2**20)})
    tracemalloc.start()
    try:
        read_pickle(tmp_path / "params.pkl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3.2 * 32 * 2**20


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_files_that_ask_for_gigabytes_are_refused_where_there_are_none(tmp_path):
    for k, content in enumerate(GREEDY.values()):
        (tmp_path / f"{k}.pkl").write_bytes(content)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pellucid.errors import FileFormatError\n"
        "from pellucid.formats import read_pickle\n"
        "now = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 2**27, now + 2**27))\n"
        "before = set(sys.modules)\n"
        "for path in sorted(Path().glob('*.pkl')):\n"
        "    try:\n"
        "        read_pickle(path)\n"
        "    except FileFormatError as error:\n"
        "        assert 'MemoryError' not in str(error), error\n"
        "print(set(sys.modules) - before)\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc to tell how much memory is taken already")
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (run.returncode, run.stdout) == (0, "set()\n"), run.stderr
