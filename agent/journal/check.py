"""Reads a large file through after an end that was not clean, beside the journal that runs.

In a thread of its own, over a read-only connection of its own: it holds up nothing but the truncation of the log.
What it finds ends the journal's thread as damage met while running does, and the next opening sets the file aside.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

AGAIN_S = 0.02
_LOG = logging.getLogger(__name__)


class Check:
    """Started and stopped by the journal's thread; `found` is called in the check's."""

    def __init__(self, path: Path, found: Callable[[str], None]) -> None:
        self.passed = False
        self._path = path
        self._found = found
        self._stopped = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._read, name="journal-check", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The next opening begins again with what was not finished.

        Interrupted again and again: SQLite forgets it between two statements, and asks nobody within one.
        """
        self._stopped.set()
        while self._thread.is_alive():
            if (connection := self._connection) is not None:
                with suppress(sqlite3.ProgrammingError):  # it has just been closed
                    connection.interrupt()
            self._thread.join(AGAIN_S)

    def _read(self) -> None:
        try:
            where = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(where, uri=True, check_same_thread=False)) as connection:
                self._connection = connection
                said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as err:
            if not self._stopped.is_set():
                _LOG.warning("journal: the whole file could not be checked: %s", err)
        except sqlite3.DatabaseError as err:
            self._found(str(err))
        else:
            if said == "ok":
                self.passed = True
                _LOG.info("journal: the whole file is sound")
            else:
                self._found(said)
