"""Gets a model's file out of the package it lies in, by the package manager's own client, proven at both ends.

Nothing here names a host: pip and npm ask whatever registry they are set up for. Once fetched, nothing is asked again.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from drivers.base import ConfigError
from models.card import Fetched, Model

_DOWNLOAD_S = 600


def fetch(model: Model, archive: Path | None = None) -> Path:
    """The model's file in its folder; `archive` is the package, where it was brought by hand.

    Raises: ConfigError, with what was there before left alone.
    """
    card, source = model.card, model.card.source
    if not isinstance(source, Fetched):
        raise ConfigError(f"{card.name} is not fetched: its file is {model.path}", hint="run: gatehouse models verify")
    with tempfile.TemporaryDirectory() as folder:
        content = _member(_package(source, Path(folder)) if archive is None else archive, source)
    _demand(card.file, content, card.sha256, source)
    try:
        model.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=model.folder, delete=False) as part:
            part.write(content)
        Path(part.name).chmod(0o644)
        Path(part.name).replace(model.path)
    except OSError as err:
        raise ConfigError(f"{model.path}: {err.strerror}", hint="run it as root or as gatehouse") from err
    return model.path


def _package(source: Fetched, folder: Path) -> Path:
    """The package as a file. Raises: ConfigError."""
    if source.registry == "npm":
        npm = shutil.which("npm")
        what = f"{source.package}@{source.version}"
        if npm is None:
            raise ConfigError(f"npm is not installed, and {what} comes from its registry", hint=_by_hand(source))
        command = [npm, "pack", "--silent", "--pack-destination", str(folder), what]
    else:
        what = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired as err:
        reason = f"{what} could not be fetched in {_DOWNLOAD_S} s"
        raise ConfigError(reason, hint=_by_hand(source)) from err
    found = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
    if done.returncode or len(found) != 1:
        last = (done.stderr.strip().splitlines() or ["no package came"])[-1]
        raise ConfigError(f"{what} could not be fetched: {last}", hint=_by_hand(source))
    return found[0]


def _member(archive: Path, source: Fetched) -> bytes:
    try:
        content = archive.read_bytes()
        _demand(archive.name, content, source.archive_sha256, source)
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(source.path)[source.skip_bytes :]
        with tarfile.open(archive) as package:
            member = package.extractfile(source.path)
            assert member is not None, "the package is the one of the card, and there the path is a file"
            return member.read()[source.skip_bytes :]
    except OSError as err:
        raise ConfigError(f"{archive}: {err.strerror}", hint="name the package's file") from err


def _demand(what: str, content: bytes, expected: str, source: Fetched) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ConfigError(
            f"{what} has SHA-256 {found}, expected {expected}",
            hint=f"something else than {source.package} {source.version} came: check the registry that is set up",
        )


def _by_hand(source: Fetched) -> str:
    if source.registry == "npm":
        there = f"npm pack {source.package}@{source.version}"
        return f"apt-get install npm; or on another machine: {there}, bring the file, and add --from FILE"
    there = f"python -m pip download --no-deps {source.package}=={source.version}"
    return f"check the network and pip's settings; or on another machine: {there}, bring the file, and add --from FILE"
