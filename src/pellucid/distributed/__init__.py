"""One training on several processes, which give the same bits as one.

`Share` says which images of a batch a rank computes, and adds up over all ranks. A `Communicator`
carries the messages: `Solo` for one process, `MPI` for those of ``mpiexec``; `world` returns the
one that fits how the program was started.
"""

from .agreement import agreed, by_first, in_turns, on_first, require_same
from .communicator import Communicator, Pending, Solo
from .delivery import dealt, handed_in, portable
from .mpi import MPI
from .share import CHUNKS, Share, chunks_of_ranks
from .world import world

__all__ = [
    "CHUNKS",
    "MPI",
    "Communicator",
    "Pending",
    "Share",
    "Solo",
    "agreed",
    "by_first",
    "chunks_of_ranks",
    "dealt",
    "handed_in",
    "in_turns",
    "on_first",
    "portable",
    "require_same",
    "world",
]
