"""Whatever ends a demo or a benchmark, its processes end with it."""

import os
import select
import subprocess
import sys
from pathlib import Path

PARENT = """
import subprocess
from simulators.children import ENDS_WITH_US
subprocess.run([*ENDS_WITH_US, "sh", "-c", "echo $$; exec sleep 600"])
"""


def test_a_child_ends_with_the_process_that_was_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            assert select.select([child], [], [], 10.0)[0] == [child], "it lives on"
        finally:
            os.close(child)
