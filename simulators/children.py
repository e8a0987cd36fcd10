"""Processes that end with the one that started them, however that ends: no agent is left holding wires or ports.

`setpriv` (util-linux) asks the kernel for it and then becomes the command, under the same process id.
"""

from typing import Final

ENDS_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")
"""Before the command. Whoever starts it must be the process's main thread, as the loop is here."""
