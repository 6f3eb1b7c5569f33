"""Run a command on two ranks as on two machines that a network of a given rate joins.

    python benchmarks/machines.py 1000 COMMAND...

Each rank gets a network namespace of its own, with an address of its own, and a cable (veth)
between the two that carries so many Mbit/s each way (``tc tbf``; 0: as fast as it goes). mpiexec
starts the second rank as it would by ssh. Linux only; a user who may not make namespaces is told
so. A delay as well is not possible where the kernel lacks ``netem``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["between_machines", "mpiexec", "unavailable"]

HERE, THERE = "10.77.0.1", "10.77.0.2"
BURST = "128kb"  # what may pass at once; at least one packet of the kernel's largest, 64 KiB
TCP = {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp"}  # not the shared memory of one kernel
REMOTE = """#!/bin/sh
# Called as ssh is: options, the host's name, the command.
while [ "${1#-}" != "$1" ]; do shift; done
host=$1; shift
if [ "$host" = THERE ]; then exec nsenter -t HOLDER -n sh -c "$*"; else exec sh -c "$*"; fi
"""


def mpiexec() -> str | None:
    """Return the launcher: this environment's, or the system's."""
    beside = Path(sys.executable).parent
    return shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ['PATH']}")


def unavailable() -> str:
    """Return why two machines cannot be made here, or "" if they can."""
    for tool in ("unshare", "nsenter", "ip", "tc"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if mpiexec() is None:
        return "mpiexec is not installed"
    lines = (
        "ip link add v0 type veth peer name v1",
        f"tc qdisc add dev v0 root tbf rate 1gbit burst {BURST} latency 50ms",
    )
    command = ["unshare", "-r", "-n", "sh", "-e", "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip().partition("\n")[0] if done.returncode else ""


def between_machines(
    mbit: float, command: Sequence[str], *, ranks: int = 2, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` on ``ranks`` of one thread, the first half here and the others there."""
    words = ["unshare", "-r", "-n", sys.executable, __file__, "--inside", str(mbit), str(ranks)]
    environment = os.environ | TCP | {"PELLUCID_NUM_THREADS": "1"}
    return subprocess.run(
        [*words, *command],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )


def _inside(mbit: float, ranks: int, command: list[str]) -> int:
    """Join this namespace to a second one, and run the command on both."""
    # It ends when its input does: also when this process is killed.
    with subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE) as holder:
        try:
            _cable(holder.pid, mbit)
            with tempfile.TemporaryDirectory() as folder:
                remote = Path(folder, "remote")
                text = REMOTE.replace("THERE", THERE).replace("HOLDER", str(holder.pid))
                remote.write_text(text, encoding="utf-8")
                remote.chmod(0o755)
                launch = ["-launcher", "ssh", "-launcher-exec", str(remote)]
                hosts = ["-hosts", f"{HERE},{THERE}", "-ppn", str(ranks // 2), "-n", str(ranks)]
                words = [str(mpiexec()), *launch, *hosts, *command]
                return subprocess.run(words, check=False).returncode
        finally:
            holder.kill()


def _cable(there: int, mbit: float) -> None:
    own, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + 30
    while Path(f"/proc/{there}/ns/net").readlink() == own:  # it has not left yet
        if time.monotonic() > deadline:
            sys.exit("the second namespace did not come up")
        time.sleep(0.01)
    far = f"nsenter -t {there} -n "
    lines = [
        "ip link set lo up",
        "ip link add v0 type veth peer name v1",
        f"ip link set v1 netns {there}",
        f"ip addr add {HERE}/24 dev v0",
        "ip link set v0 up",
        far + "ip link set lo up",
        far + f"ip addr add {THERE}/24 dev v1",
        far + "ip link set v1 up",
    ]
    if mbit:
        limit = f"root tbf rate {mbit:g}mbit burst {BURST} latency 50ms"
        lines += [f"tc qdisc add dev v0 {limit}", far + f"tc qdisc add dev v1 {limit}"]
    subprocess.run(["sh", "-e", "-c", "\n".join(lines)], check=True)


def main() -> None:
    """Run the command of the command line."""
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(_inside(float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
    if reason := unavailable():
        sys.exit(f"two machines cannot be made here: {reason}")
    done = between_machines(float(sys.argv[1]), sys.argv[2:])
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
