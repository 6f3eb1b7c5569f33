"""`pellucid book SCRIPT`: whose modules a script gets, and how it ends."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from book.process import run, start, write, write_mnist
from pellucid.book.scripts import find_script
from pellucid.errors import ArgumentError

BEGIN = "import os, sys\nsys.path.append(os.pardir)\n"


@pytest.fixture(scope="session")
def mnist(tmp_path_factory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def book(tmp_path) -> Path:
    """A folder like the book's, whose own common and dataset must never be imported."""
    for name in ("common/layers.py", "common/functions.py", "dataset/mnist.py"):
        write(tmp_path / "book" / name, "raise RuntimeError('this is the book’s own module')")
        write(tmp_path / "book" / name.split("/")[0] / "__init__.py", "")
    return tmp_path / "book"


def test_common_and_dataset_are_ours_though_the_book_s_lie_in_the_parent_folder(book):
    write(
        book / "ch07" / "whose.py",
        BEGIN
        + """
import common.layers
from common.functions import *
from common.layers import *
from dataset.mnist import load_mnist
print(common.layers.__name__, load_mnist.__module__)
print(Convolution.__module__, np.__name__, softmax(np.zeros(2)))
import pellucid.book.common.layers as ours
print(common.layers is ours)
""",
    )
    result = run("ch07/whose.py", cwd=book)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "pellucid.book.common.layers pellucid.book.dataset.mnist",
        "pellucid.book.layers.convolution numpy [0.5 0.5]",
        "True",
    ]
    assert result.stderr == ""


def test_a_module_beside_the_script_wins_over_ours(book):
    write(book / "ch07" / "simple_convnet.py", "whose = 'the sibling'")
    write(book / "ch07" / "common" / "__init__.py", "whose = 'the common beside the script'")
    write(
        book / "ch07" / "own.py", "import common, simple_convnet as s\nprint(common.whose, s.whose)"
    )
    result = run("ch07/own.py", cwd=book)
    assert result.stdout == "the common beside the script the sibling\n"
    assert "note: 'common' is the script's own (" in result.stderr


def test_a_mere_folder_of_that_name_beside_the_script_is_no_module(book):
    (book / "ch07" / "dataset").mkdir(parents=True)
    write(book / "ch07" / "read.py", "import dataset.mnist\nprint(dataset.mnist.__name__)")
    result = run("ch07/read.py", cwd=book)
    assert result.stdout == "pellucid.book.dataset.mnist\n", result.stderr


def test_what_the_reader_has_added_to_common_is_found_and_stands_on_ours(book):
    write(
        book / "common" / "swish.py", "from .functions import sigmoid\nfrom common.layers import *"
    )
    write(
        book / "ch07" / "use.py",
        BEGIN + "from common.swish import sigmoid\nprint(sigmoid.__module__, sigmoid(0.0))",
    )
    result = run("ch07/use.py", cwd=book)
    assert result.stdout == "pellucid.book.common.functions 0.5\n", result.stderr


@pytest.mark.parametrize("program", [("-m", "pellucid", "book"), ("-m", "pellucid.book")])
def test_a_script_sees_its_own_folder_name_and_arguments(book, program):
    write(
        book / "ch07" / "see.py",
        "import os, sys\nprint(sys.argv, os.getcwd(), __file__, __name__, sys.path[0])",
    )
    result = run("ch07/see.py", "--strict", "-h", "3", cwd=book, program=program)
    folder = book / "ch07"
    assert result.stdout == (
        f"['see.py', '--strict', '-h', '3'] {folder} {folder}/see.py __main__ {folder}\n"
    )
    assert result.stderr == (
        "note: see.py imports neither common nor dataset: nothing of it was replaced.\n"
    )


def test_modules_of_the_folder_that_we_are_started_in_are_not_the_script_s(book):
    write(book / "helper.py", "raise RuntimeError")
    write(book / "ch07" / "asks.py", "import helper")
    result = run("ch07/asks.py", cwd=book)
    assert "there is no module 'helper', in line 1 of asks.py: no helper.py in '" in result.stderr


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (("--strict",), "True False False"),
        (("--float64", "--velocity-first"), "False True True"),
    ],
)
def test_the_options_reach_the_settings(book, options, seen):
    write(
        book / "ch07" / "settings.py",
        "from pellucid.book.settings import settings as s\n"
        "print(s.strict, s.float64, s.velocity_first)",
    )
    assert run(*options, "ch07/settings.py", cwd=book).stdout == f"{seen}\n"


def test_mnist_is_read_from_the_folder_that_is_named(book, mnist):
    write(
        book / "ch07" / "read.py",
        BEGIN
        + """
from dataset.mnist import load_mnist
(x, t), (x_test, t_test) = load_mnist(flatten=False)
print(x.shape, x.dtype, x.max() <= 1, len(t), len(t_test))
""",
    )
    result = run("--data-dir", mnist, "ch07/read.py", cwd=book)
    assert result.stdout == "(1437, 1, 28, 28) float32 True 1437 358\n", result.stderr
    named = run(
        "ch07/read.py", cwd=mnist.parent, program=("-m", "pellucid.book"), PELLUCID_DATA="."
    )
    assert named.returncode == 1  # there is no such script there


def test_mnist_is_read_from_the_book_s_own_folder(book):
    write_mnist(book / "dataset")
    write(
        book / "ch07" / "read.py",
        BEGIN + "from dataset.mnist import load_mnist\nprint(load_mnist()[1][0].shape)",
    )
    assert run("ch07/read.py", cwd=book).stdout == "(358, 784)\n"


def test_a_relative_folder_in_the_environment_means_the_same_to_the_script(book, mnist):
    write(
        book / "ch07" / "read.py",
        BEGIN + "from dataset.mnist import load_mnist\nprint(load_mnist()[1][0].shape)",
    )
    script = book / "ch07" / "read.py"
    result = run(script, cwd=mnist.parent, PELLUCID_DATA=mnist.name)
    assert result.stdout == "(358, 784)\n", result.stderr


def test_a_missing_data_set_says_where_to_put_it(book, tmp_path):
    write(book / "ch07" / "read.py", BEGIN + "from dataset.mnist import load_mnist\nload_mnist()")
    result = run(
        "ch07/read.py", cwd=book, XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path)
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: MNIST: the data set is not there. Looked in\n")
    assert "train-images-idx3-ubyte" in result.stderr
    assert "pass the folder as --data-dir" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ch07/trian.py", "SCRIPT: there is no file 'ch07/trian.py'. Did you mean 'train.py'?"),
        ("ch70/train.py", "the folder 'ch70' does not exist."),
        ("ch07", "SCRIPT: 'ch07' is a folder. Name one of its scripts: train.py."),
        (".", "It holds no scripts. There are some in the folders inside it, ch07/train.py"),
        ("common/train.py", "There is no script in that folder."),
        ("ch07/notes.ipynb", "is a notebook. Save it as a script: jupyter nbconvert"),
    ],
)
def test_what_is_no_script_is_said_in_clear_words(book, monkeypatch, name, said):
    monkeypatch.chdir(book)
    write(book / "ch07" / "train.py", "")
    write(book / "ch07" / "notes.ipynb", "{}")
    for path in (book / "common").glob("[a-z]*.py"):
        path.unlink()
    with pytest.raises(ArgumentError, match=re.escape(said)):
        find_script(name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ch07/trian.py",), "error: SCRIPT: there is no file 'ch07/trian.py'. Did you mean"),
        (("ch07/train.bin",), "is not a text file"),
        (("--data-dir", "none", "ch07/train.py"), "--data-dir: 'none' is not a folder"),
        (("--data-dir", "ch07", "ch07/train.py"), "ch07: none of the files"),
        (("--figures", "ch07/train.py", "ch07/train.py"), "--figures: must be a folder;"),
    ],
)
def test_what_cannot_be_run_ends_with_1_and_a_message_alone(book, arguments, said):
    write(book / "ch07" / "train.py", "print('ran')")
    (book / "ch07" / "train.bin").write_bytes(b"\x89PNG\0\0")
    result = run(*arguments, cwd=book)
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_missing_network_beside_the_script_is_named(book):
    write(book / "ch07" / "train.py", "import os\nfrom simple_convnet import SimpleConvNet\n")
    result = run("ch07/train.py", cwd=book)
    assert result.returncode == 1
    assert result.stderr.startswith(
        "error: there is no module 'simple_convnet', in line 2 of train.py: no simple_convnet.py "
    )
    assert "Traceback" not in result.stderr


def test_a_module_that_the_book_has_not_is_named_with_those_that_there_are(book):
    write(book / "ch07" / "train.py", BEGIN + "from common.time_layers import *")
    result = run("ch07/train.py", cwd=book)
    assert "there is no module 'common.time_layers', in line 3 of train.py" in result.stderr
    assert "Pellucid has common.functions, common.gradient, common.layers" in result.stderr


def test_an_error_of_the_script_is_shown_by_its_own_lines_alone(book):
    write(book / "ch07" / "helper.py", "def divide(x):\n    return 1 / x\n")
    script = write(book / "ch07" / "fails.py", "from helper import divide\ndivide(0)\n")
    result = run("ch07/fails.py", cwd=book)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{script}", line 2, in <module>',
        f'  File "{book}/ch07/helper.py", line 2, in divide',
    ]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_refusal_of_ours_is_shown_at_the_script_s_line(book):
    script = write(
        book / "ch07" / "refused.py",
        "import numpy as np\nfrom pellucid.ops import conv2d\n"
        "conv2d(np.zeros((1, 2, 5, 5)), np.zeros((1, 3, 3, 3)), np.zeros(1))\n",
    )
    lines = run("ch07/refused.py", cwd=book).stderr.splitlines()
    files = [line for line in lines if line.startswith("  File")]
    assert files == [f'  File "{script}", line 3, in <module>']
    assert lines[-1].startswith("pellucid.errors.ShapeError: ")


def test_a_script_that_is_no_python_is_shown_where_it_stops_being_so(book):
    script = write(book / "ch07" / "wrong.py", "x = 1\nprint x\n")
    result = run("ch07/wrong.py", cwd=book)
    assert result.returncode == 1
    assert result.stderr.startswith(f'  File "{script}", line 2\n')
    assert "SyntaxError" in result.stderr


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [("sys.exit(7)", 7, ""), ("sys.exit('enough')", 1, "enough\n")],
)
def test_a_script_ends_with_the_code_that_it_chooses(book, ending, code, said):
    write(book / "ch07" / "ends.py", f"import sys\n{ending}\n")
    result = run("ch07/ends.py", cwd=book)
    assert (result.returncode, result.stderr) == (code, said)


def test_ctrl_c_ends_with_one_line_and_130(book):
    write(
        book / "ch07" / "waits.py",
        "import time\nprint('ready', flush=True)\nwhile True:\n    time.sleep(0.01)\n",
    )
    with start("ch07/waits.py", cwd=book) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err in {f"stopped by Ctrl-C, in line {line} of waits.py\n" for line in (2, 3, 4)}


def test_a_script_that_catches_ctrl_c_itself_goes_on(book):
    write(
        book / "ch07" / "waits.py",
        "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('saved')\n",
    )
    with start("ch07/waits.py", cwd=book) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "saved\n")


def test_parameters_are_pickled_beside_the_script_and_read_again(book):
    write(
        book / "ch07" / "keeps.py",
        """
import pickle
import numpy as np
class Net:
    pass
with open("params.pkl", "wb") as f:
    pickle.dump({"W1": np.arange(3.0), "net": Net()}, f)
with open("params.pkl", "rb") as f:
    print(pickle.load(f)["W1"])
""",
    )
    result = run("ch07/keeps.py", cwd=book)
    assert result.stdout == "[0. 1. 2.]\n", result.stderr
    assert (book / "ch07" / "params.pkl").exists()


def test_names_that_numpy_had_are_there(book):
    write(
        book / "ch03" / "step.py",
        "import numpy as np\nprint(np.array(np.array([-1.0, 2.0]) > 0, dtype=np.int))\n",
    )
    assert run("ch03/step.py", cwd=book).stdout == "[0 1]\n"


def test_the_script_s_own_hook_for_errors_is_called(book):
    write(
        book / "ch07" / "hooks.py",
        "import sys\nsys.excepthook = lambda kind, error, trace: print('hooked', error)\n1 / 0\n",
    )
    result = run("ch07/hooks.py", cwd=book)
    assert (result.returncode, result.stdout) == (1, "hooked division by zero\n")
