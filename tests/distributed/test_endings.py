"""How programs and commands on several ranks end: alike, or at once if one fails."""

import sys

import pytest

from .ranks import needs_mpi, on_ranks

pytestmark = needs_mpi


def pellucid(n, *words, **environment):
    return on_ranks(n, sys.executable, "-m", "pellucid", *words, check=False, **environment)


def test_what_all_ranks_refuse_is_said_once():
    wrong = pellucid(2, "train", "--nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("No such option") == 1
    assert "error:" not in wrong.stderr  # an empty one, besides Typer's box
    unknown = pellucid(2, "train", "--data", "mnits")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.count("error:") == 1
    assert unknown.stderr.startswith("error: --data: there is no data set 'mnits'.")


def test_a_command_for_one_process_runs_once():
    result = pellucid(3, "data", "list")
    assert result.returncode == 0
    assert result.stdout.count("stl10  ") == 1
    assert result.stderr == "note: this command uses one process: the other ranks have ended\n"


ONE_FAILS = """
import sys, time
from pellucid.distributed import world
from pellucid.errors import DataError
ranks = world()
def fail():
    if ranks.rank == 1:
        raise {error}
if sys.argv[1:] == ["command"]:
    from pellucid.cli import entry, ranks as of_commands
    of_commands.run_on_this_rank = lambda app, arguments: (fail(), ranks.gather(0))
    entry.main()
fail()
ranks.gather(0)  # would wait for ever
"""


def test_an_error_of_one_rank_ends_all():
    ended = on_ranks(3, ONE_FAILS.format(error="KeyError('x')"), check=False, timeout=30)
    assert ended.returncode
    assert ended.stderr.count("Traceback") == 1
    assert "KeyError: 'x'\nrank 1 of 3 (on host " in ended.stderr
    assert "This ends the other ranks, which were still at work." in ended.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("DataError('no images.')", "): no images.\nThis ends the other ranks"),
        ("SystemExit(5)", "): ended\nThis ends the other ranks, which were still at work."),
    ],
)
def test_a_command_that_fails_on_one_rank_says_which(error, words):
    program = ONE_FAILS.replace("sys.argv[1:] == ", "True or ").format(error=error)
    ended = on_ranks(3, program, check=False, timeout=30)
    assert ended.returncode
    assert "error: rank 1 of 3 (on host " in ended.stderr
    assert words in ended.stderr


ALL_FAIL = """
from pellucid.distributed import world
ranks = world()
raise ValueError("of all" if ranks.rank < 3 else "another")
"""


def test_an_error_of_all_ranks_is_said_once():
    ended = on_ranks(3, ALL_FAIL, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == ended.stderr.count("ValueError: of all") == 1
    assert "ends the other ranks" not in ended.stderr


TURN_FAILS = """
import sys
import numpy as np
from pellucid import data, models
from pellucid.distributed import world
from pellucid.training import Callback, Trainer
class Full(Callback):
    def on_epoch_end(self, trainer, record):
        raise OSError(28, "No space left on device")
train, test = data.digits()
trainer = Trainer(
    models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0)), train, test, epochs=1,
    callbacks=[Full()],
    progress=False, communicator=world(),
)
if sys.argv[1:] == ["command"]:
    from pellucid.cli import entry
    from pellucid.cli import ranks as of_commands
    of_commands.run_on_this_rank = lambda app, arguments: trainer.fit()
    entry.main()
trainer.fit()
"""


@pytest.mark.parametrize("words", [[], ["command"]])
def test_what_fails_in_the_turn_of_the_first_rank_is_said_once(words):
    ended = on_ranks(2, TURN_FAILS, *words, check=False, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("No space left on device") == 1 + (not words), ended.stderr
    assert ended.stderr.count("rank 0 of 2") == 1
    assert "rank 1" not in ended.stderr


TOO_LATE = """
import os, sys
if os.environ["PMI_RANK"] == "1":
    sys.exit(3)
from pellucid.distributed import world
world()
"""


def test_ranks_that_wait_for_one_that_never_starts_end():
    ended = on_ranks(2, TOO_LATE, check=False, timeout=30, PELLUCID_RANK_TIMEOUT="0.5")
    assert ended.returncode
    assert "error: rank 0 of 2 (on host " in ended.stderr
    assert "have not started within 0.5 seconds" in ended.stderr
    wrong = on_ranks(2, TOO_LATE.replace("(3)", "(0)"), check=False, PELLUCID_RANK_TIMEOUT="soon")
    assert "PELLUCID_RANK_TIMEOUT: must be a number of seconds" in wrong.stderr
