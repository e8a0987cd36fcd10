"""The raw limit of storing: sqlite3 alone, WAL, synchronous=FULL, a hundred rows a commit, no chain and no cursor."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.bench.gateway import BODY

ROWS_A_COMMIT = 100


def insert(path: Path, count: int) -> float:
    """Seconds of CPU for `count` rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE entry (sequence INTEGER PRIMARY KEY, body BLOB)")
        begun = time.process_time()
        for first in range(0, count, ROWS_A_COMMIT):
            database.execute("BEGIN")
            numbers = range(first, first + ROWS_A_COMMIT)
            database.executemany("INSERT INTO entry VALUES (?, ?)", ((number, BODY) for number in numbers))
            database.execute("COMMIT")
        return time.process_time() - begun
