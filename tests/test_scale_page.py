"""The page on several ranks: its programs give one digest, its job file starts a rank a task."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distributed.ranks import MPIEXEC, needs_mpi, on_ranks

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("scale.md", "scale.ko.md")


def code_of(name, kind="[a-z]*"):
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def test_both_pages_have_the_same_code():
    assert code_of(PAGES[0]) == code_of(PAGES[1])
    assert len(code_of(PAGES[0])) == 9


@needs_mpi
def test_the_program_prints_the_same_digest_on_any_number_of_ranks():
    (program,) = code_of(PAGES[0], "python")
    alone, three = (on_ranks(n, program).stdout.split() for n in (1, 3))
    assert (alone[0], three[0]) == ("1", "3")
    assert alone[1:] == three[1:]
    assert len(alone[1]) == 64


@needs_mpi
def test_the_job_file_starts_a_rank_for_each_task_and_goes_on_from_a_checkpoint(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    (job,) = (text for text in code_of(PAGES[0], "sh") if "#SBATCH" in text)
    bin_, run = tmp_path / "bin", tmp_path / "run"
    bin_.mkdir(), run.mkdir()
    # Slurm's srun, which the launcher calls with options and a node's program; it numbers nodes.
    srun = """export SLURM_NODEID=0
while [ "${1#-}" != "$1" ]; do
  case $1 in -N|-n|--input|--nodelist) shift;; esac
  shift
done
exec "$@\""""
    scripts = {
        "srun": srun,
        "pellucid": 'echo "rank $PMI_RANK of $PMI_SIZE: $PELLUCID_NUM_THREADS threads, $*"',
    }
    for name, text in scripts.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (bin_ / name).chmod(0o755)
    host = subprocess.check_output(["hostname"], text=True).strip()
    slurm = {
        "PATH": f"{bin_}:{Path(MPIEXEC).parent}:/usr/bin:/bin", "DATA": "photos",
        "SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_NODELIST": host, "SLURM_NNODES": "1",
        "SLURM_JOB_NODELIST": host, "SLURM_TASKS_PER_NODE": "2", "SLURM_NTASKS": "2",
        "SLURM_CPUS_PER_TASK": "16",
    }  # fmt: skip

    def printed():
        done = subprocess.run(
            ["bash", "-c", job], cwd=tmp_path, env=slurm, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return sorted(done.stdout.splitlines())

    first = printed()
    assert [line[:23] for line in first] == [f"rank {k} of 2: 16 threads" for k in (0, 1)]
    assert "train --data photos --model resnet18" in first[0]
    (run / "checkpoint.safetensors").touch()
    assert all(line.endswith("train --resume run") for line in printed())


def test_the_words_of_the_page_are_options_of_the_commands():
    said = "\n".join(code_of(PAGES[0], "sh"))
    words = {*re.findall(r"pellucid (\w+)", said)}
    assert words == {"train", "profile"}
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", "train", "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    for option in ("--chunks", "--scale-lr", "--evaluate-samples", "--resume"):
        assert option in (DOCS / PAGES[0]).read_text(encoding="utf-8")
        assert option in done.stdout
