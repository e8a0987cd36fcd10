"""A model's card: where the file comes from, what goes in and what comes out; and the proof that it is that file.

A card is `models/NAME.toml` beside its model file. This module needs neither numpy nor a runtime.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from drivers.base import ConfigError, Confined

FOLDER = Path(__file__).parent

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Triple = tuple[float, float, float]


class Source(Confined):
    """`reproduced` says truthfully how far the build step gives the same file."""

    package: str
    version: str
    path: str
    archive_sha256: Sha256
    upstream: str
    built_by: str
    reproduced: str


class InputSpec(Confined):
    """Square of `size` pixels, or a rectangle of multiples of 32; each channel is `(x - mean) / scale`."""

    size: Annotated[int, Field(ge=32, multiple_of=32)]
    order: Literal["BGR"]
    mean: Triple
    scale: Triple


class OutputSpec(Confined):
    """For each stride the scores `(1, n, classes)`, then for each the distances `(1, n, 4 * bins)`."""

    strides: tuple[int, ...]
    bins: int
    classes: int
    nms_iou: float


class Measured(Confined):
    what: str
    result: str


class Card(Confined):
    """`labels` maps the model's classes to our words; a class that is not named there is ignored.

    `confident` is the score above which a thing is believed although it has not moved.
    """

    name: str
    file: str
    sha256: Sha256
    licence: str
    confident: Annotated[float, Field(gt=0, lt=1)]
    source: Source
    input: InputSpec
    output: OutputSpec
    labels: dict[int, str]
    measured: tuple[Measured, ...] = ()


def names(folder: Path = FOLDER) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, folder: Path = FOLDER) -> Card:
    """Raises: ConfigError when there is no such card or it cannot be read."""
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(names(folder)) or "none"
        raise ConfigError(f"there is no model card {path}", hint=f"set vision.model to one of: {known}")
    try:
        return Card.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as err:
        raise ConfigError(f"the model card {path} cannot be read: {err}", hint=_cure(path, folder)) from err


def read_model(card: Card, folder: Path = FOLDER) -> bytes:
    """The model file's bytes, proven to be those of the card.

    Raises: ConfigError naming the file, both hashes and the command that cures it.
    """
    path = folder / card.file
    try:
        content = path.read_bytes()
    except OSError as err:
        raise ConfigError(
            f"the model file {path} cannot be read ({err.strerror}); expected SHA-256 {card.sha256}, found none",
            hint=_cure(path, folder),
        ) from err
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ConfigError(
            f"the model file {path} is not the one its card names: expected SHA-256 {card.sha256}, found {found}",
            hint=_cure(path, folder),
        )
    return content


def verify(card: Card, folder: Path = FOLDER) -> Path:
    """Where the model file is, once it is proven. Raises: ConfigError as `read_model`."""
    read_model(card, folder)
    return folder / card.file


def _cure(path: Path, folder: Path) -> str:
    checkout = folder.parent
    if (checkout / ".git").exists():
        return f"run: git -C {checkout} checkout -- {path.relative_to(checkout)}"
    return "run: python -m pip install --force-reinstall --no-deps gatehouse-agent (in Gatehouse's own environment)"
