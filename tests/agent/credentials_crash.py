"""Changes a card list again and again, each time in a fork that is killed before one more file operation.

    python credentials_crash.py FOLDER keep|lose < change

`FOLDER/start` is how each try begins; try number N is left in `FOLDER/N` as a power cut before operation N leaves it:
what was written and not flushed is torn, and with `lose` a rename is lost whose folder was not flushed. The last
folder is that of a change nobody interrupted.
"""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent.credentials import apply_change

TORN = 7


class PowerCut:
    """Counts the operations on files and pulls the plug before one of them."""

    def __init__(self, at: int, *, lose: bool) -> None:
        self.left = at
        self.lose = lose
        self.names: dict[int, Path] = {}
        self.unflushed: set[Path] = set()
        self.renamed: list[tuple[Path, Path]] = []
        for name in ("open", "write", "fsync", "fchown", "rename", "unlink", "mkdir", "close"):
            setattr(os, name, self.watched(name, getattr(os, name)))

    def watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if self.left == 0:
                self.cut()
            self.left -= 1
            if name == "rename" and Path(given[1]).exists():
                kept = Path(f"{given[1]}.kept")
                os.link(given[1], kept)
                self.renamed.append((kept, Path(given[1])))
            result = real(*given, **named)
            self.note(name, given, result)
            return result

        return call

    def note(self, name: str, given: tuple[Any, ...], result: Any) -> None:
        if name == "open":
            self.names[result] = Path(given[0])
        elif name == "write":
            self.unflushed.add(self.names[given[0]])
        elif name == "fsync":
            flushed = self.names[given[0]]
            self.unflushed.discard(flushed)
            if flushed.is_dir():
                for kept, _ in self.renamed:
                    os.remove(kept)  # noqa: PTH107 - Path's is watched
                self.renamed.clear()
        elif name == "rename":
            assert Path(given[0]) not in self.unflushed, "renamed before it was flushed"

    def cut(self) -> None:
        for path in self.unflushed:
            with suppress(FileNotFoundError):
                os.truncate(path, TORN)
        for kept, target in reversed(self.renamed):
            os.replace(kept, target) if self.lose else os.remove(kept)  # noqa: PTH105, PTH107 - Path's are watched
        os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, *, lose: bool) -> None:
    change = sys.stdin.buffer.read()
    for step in itertools.count():
        work = folder / str(step)
        shutil.copytree(folder / "start", work)
        child = os.fork()
        if child == 0:
            PowerCut(step, lose=lose)
            apply_change(work / "cards.json", change)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), lose=sys.argv[2] == "lose")
