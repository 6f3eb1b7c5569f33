"""A trial belongs to one process, until this is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from pellucid.sweeps.claims import STALE, claim


def test_a_claimed_trial_is_not_given_to_another(tmp_path):
    held = claim(tmp_path, 3)
    assert claim(tmp_path, 3) is None
    assert claim(tmp_path, 3, started=1e9) is None
    held.done()
    assert list(tmp_path.iterdir()) == []


def test_a_released_trial_and_that_of_a_dead_process_are_given_to_one_other(tmp_path):
    claim(tmp_path, 0).release()
    code = "from pathlib import Path; from pellucid.sweeps.claims import claim; import sys, os\n"
    code += "claim(Path(sys.argv[1]), 1); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, tmp_path])
    for number in (0, 1):
        held = claim(tmp_path, number, started=0.0)
        assert held is not None
        assert claim(tmp_path, number) is None
        held.done()


def test_a_process_on_another_machine_is_dead_after_a_minute_without_a_sign(tmp_path):
    path = tmp_path / "0005"
    path.write_text("another-machine 1")
    assert claim(tmp_path, 5) is None
    past = time.time() - STALE - 1
    os.utime(path, (past, past))
    held = claim(tmp_path, 5)
    assert held is not None
    held.done()


def test_a_process_that_is_about_to_claim_a_trial_is_given_the_time(tmp_path):
    assert claim(tmp_path, 5, started=1.0) is None
    held = claim(tmp_path, 5, started=STALE + 1)
    assert held is not None
    held.done()
