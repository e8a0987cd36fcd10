"""The hash chain of a lane: `digest_0 = SHA-256(epoch/lane)`, `digest_n = SHA-256(digest_{n-1} + body_n)`."""

import hashlib

from agent.events import Lane


def first_digest(epoch: str, lane: Lane) -> bytes:
    return hashlib.sha256(f"{epoch}/{lane}".encode()).digest()


def next_digest(digest: bytes, body: bytes) -> bytes:
    return hashlib.sha256(digest + body).digest()
