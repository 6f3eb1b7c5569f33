"""Trainings on several ranks, by the real mpiexec."""

import json
import sys
from pathlib import Path

import pytest

from .ranks import needs_mpi, on_ranks

pytestmark = needs_mpi

PROGRAM = Path(__file__).with_name("training_program.py")


def trained(n, *arguments, **options):
    words = sys.executable, str(PROGRAM), *map(str, arguments)
    return on_ranks(n, *words, timeout=300, **options)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return a folder for states, and what one process learns."""
    folder = tmp_path_factory.mktemp("states")
    return folder, json.loads(trained(1, "hashes", folder).stdout)


@pytest.mark.parametrize(("n", "threads"), [(2, 2), (3, 1), (8, 1)])
def test_any_number_of_ranks_learns_the_bits_of_one_and_goes_on_from_the_states_of_others(
    alone, n, threads
):
    folder, expected = alone
    found = json.loads(trained(n, "hashes", folder, PELLUCID_NUM_THREADS=str(threads)).stdout)
    assert len(found) == 2 * len(expected)
    for name, own in found.items():
        kind = next(each for each in expected if name.startswith(each))
        assert own == expected[kind], name


def test_all_ranks_stop_after_one_batch_for_signals_of_any_and_errors_of_callbacks():
    trained(2, "interrupted")


def test_ranks_that_differ_are_refused_before_the_first_batch():
    found = json.loads(trained(3, "different").stdout)
    assert "the hash of the weights is" in found["weights"]
    assert "on rank 1 of 3." in found["weights"]
    assert "the number of epochs is 2 on rank 0 of 3, and 3 on rank 1 of 3" in found["epochs"]
    assert "epochs: must be 1 or more, received 0" in found["count"]
    assert "cannot divide a batch into several ranks" in found["engine"]
    assert "saved with chunks 8, and this Trainer has 16" in found["chunks"]
    assert "must be at least the number of ranks, 3; received 1" in found["few"]
    assert "the weights are no longer the same on all ranks" in found["changed"]
    assert found["schedule"] == "schedule: has no rate."
    assert "the hash of the parameters' rates and decays is" in found["frozen"]
    assert "different learning rates (0.025, 0.1, 0.1). A callback that" in found["rate"]
    assert "different numbers of callbacks with `on_gradients` (1, 0, 0)" in found["adding"]
    assert "rank 1 has other settings than rank 0" in found["stopping"]
    assert "the optimizer's last step failed halfway" in found["after"]


def test_every_rank_measures_and_predicts_what_one_process_does():
    found = json.loads(trained(3, "measured").stdout)
    assert found["damaged"].startswith("rank 1 of 3: predict: 1 of 50 images contain NaN")


def test_an_error_of_one_rank_ends_all_and_says_where():
    done = trained(3, "failing", check=False)
    assert done.returncode != 0
    assert "rank 1 of 3 (on host " in done.stderr
    assert "this disk: a picture is damaged." in done.stderr
    assert "Traceback" not in done.stderr
