"""How a program finds out which ranks were started with it."""

import os

import pytest

from pellucid.launch import Launch, launched
from pellucid.letters import is_terminal

from .ranks import needs_mpi, on_ranks


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, Launch(0, 1, 1)),
        ({"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALNRANKS": "2"}, Launch(1, 4, 2)),  # Hydra
        ({"PMI_RANK": "0", "PMI_SIZE": "1", "MPI_LOCALNRANKS": "1"}, Launch(0, 1, 1)),
        (
            {
                "OMPI_COMM_WORLD_RANK": "3",
                "OMPI_COMM_WORLD_SIZE": "4",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
                "PMIX_RANK": "3",
            },
            Launch(3, 4, 4),
        ),
        (  # srun --mpi=pmix
            {
                "PMIX_RANK": "8",
                "SLURM_STEP_NUM_TASKS": "9",
                "SLURM_STEP_TASKS_PER_NODE": "4(x2),1",
                "SLURM_NODEID": "2",
            },
            Launch(8, 9, 1),
        ),
        (  # srun --mpi=pmi2
            {"PMI_RANK": "5", "PMI_SIZE": "8", "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
             "SLURM_NODEID": "1"},
            Launch(5, 8, 4),
        ),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, Launch(0, 1, 1)),  # the script of a job
        ({"PMI_RANK": "4", "PMI_SIZE": "4"}, Launch(0, 1, 1)),
        ({"PMI_RANK": "x", "PMI_SIZE": "4"}, Launch(0, 1, 1)),
    ],
)  # fmt: skip
def test_the_environment_says_how_a_process_was_started(environment, launch):
    assert launched(environment) == launch


ALONE = """
import sys
from pellucid.distributed import Solo, world
assert isinstance(world(), Solo)
assert "mpi4py" not in sys.modules
"""

RANKS = """
from pellucid import get_num_threads
from pellucid.distributed import MPI, world
assert isinstance(world(), MPI)
assert world() is world() and world().size == 2
from pellucid.kernels.pool import thread_count
assert get_num_threads() == max(1, thread_count._cores() // 2)
"""

WITHOUT_MPI4PY = """
import sys
sys.modules["mpi4py"] = None
import pytest
from pellucid.distributed import world
from pellucid.errors import MissingExtraError
with pytest.raises(MissingExtraError, match='needs the package mpi4py.*"pellucid.mpi."'):
    world()
"""

# Each process is alone for its own MPI, as under the launcher of another.
OF_ANOTHER = """
import os
del os.environ["PMI_FD"]
import pytest
from pellucid.distributed import world
from pellucid.errors import PellucidError
with pytest.raises(PellucidError, match=r"started 2 ranks, but .* \\(MPICH [\\d.]+\\) sees 1: "):
    world()
"""


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are of POSIX")
def test_the_pseudo_terminal_that_a_launcher_gives_a_rank_is_not_a_terminal(monkeypatch):
    ends = os.openpty()
    with os.fdopen(ends[0], "rb"), os.fdopen(ends[1], "w") as stream:
        assert is_terminal(stream)
        monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
        monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
        assert not is_terminal(stream)


@needs_mpi
def test_a_program_that_was_started_alone_imports_no_mpi4py():
    on_ranks(1, ALONE)


@needs_mpi
@pytest.mark.parametrize("program", [RANKS, WITHOUT_MPI4PY, OF_ANOTHER])
def test_ranks_find_each_other_or_say_why_not(program):
    on_ranks(2, program, PELLUCID_NUM_THREADS="")
