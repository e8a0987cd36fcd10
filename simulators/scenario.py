"""Scenarios: small readable files of timed actions and the events the centre must then see.

    title = { zh = "…", en = "…" }

    [cards.resident]
    number = 1234567
    doors = ["north-gate"]

    [[steps]]
    say = { zh = "住户刷卡", en = "A resident presents a card." }
    do = "present-card"
    reader = "reader-north"
    card = "resident"
    expect = [{ kind = "access.granted", subject = "north-gate" }]

Steps run one after another: wait `after_s`, act, then wait until the centre has received every event in `expect`
(each at most `within_s`). A step without `do` only waits and expects.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from agent.contract.commands import Verb, Verdict
from agent.events import Kind
from agent.settings import Name
from drivers.base import ConfigError, Confined, Slug
from simulators.scenes import Figure

BUILT_IN = Path(__file__).parent / "scenarios"


class Expected(Confined):
    """An event the centre must receive after the step began; `data` must be contained in the event's."""

    kind: Kind
    subject: str
    data: Mapping[str, str | int | float | bool] = Field(default_factory=dict)


class _Step(Confined):
    say: Name | None = None
    after_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    within_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    expect: tuple[Expected, ...] = ()


class Wait(_Step):
    do: Literal["wait"] = "wait"


class PresentCard(_Step):
    do: Literal["present-card"]
    reader: Slug
    card: str


class MoveDoor(_Step):
    """`open-door` opens by force and holds; `close-door` lets the door fall shut; `push-door` passes if it gives."""

    do: Literal["open-door", "close-door", "push-door", "request-exit"]
    door: Slug


class PressKeys(_Step):
    """Keys on a reader's keypad; `#` ends a PIN, `*` clears it."""

    do: Literal["press"]
    reader: Slug
    keys: Annotated[str, Field(pattern=r"^[0-9*#]{1,40}$")]


class WalkThrough(_Step):
    """Card, open, close: what a person does, each when the door allows it."""

    do: Literal["walk-through"]
    door: Slug
    card: str


class SetPoint(_Step):
    """Put a sensor's point to a value, in the unit the compound's file gives it."""

    do: Literal["set"]
    point: str
    value: bool | float


class TamperReader(_Step):
    do: Literal["tamper", "tamper-restored"]
    reader: Slug


class ReaderTrouble(_Step):
    """An OSDP reader loses its power or gets it back, goes back to the default key, to another key, or to its own;
    the cable of a Wiegand reader picks up noise.
    """

    do: Literal["reader-off", "reader-on", "reader-default-key", "reader-wrong-key", "reader-own-key", "reader-noise"]
    reader: Slug


class SwapReader(_Step):
    """Another device, with this serial number and the same key, is put in a reader's place."""

    do: Literal["swap-reader"]
    reader: Slug
    serial: Annotated[int, Field(ge=0, lt=1 << 32)]


class BusTrouble(_Step):
    """The cable of an OSDP bus loses or doubles 5 % of what is said, echoes, throws in noise; or is mended."""

    do: Literal["bus-noise", "bus-echo", "bus-mended"]
    device: Slug


class Cable(_Step):
    """Pull or plug the cable of a bus, a GPIO chip or a camera."""

    do: Literal["unplug", "plug"]
    device: Slug


class Silence(_Step):
    """One Modbus unit stops answering, or answers again."""

    do: Literal["silence", "answer"]
    unit: Slug


class Walk(_Step):
    do: Literal["walk"]
    camera: Slug


class CameraTrouble(_Step):
    """What befalls a camera's lens, sensor or stream, one thing at a time; `camera-clear` ends it.

    Infrared, darkness and another size are no tampering.
    """

    do: Literal[
        "camera-covered", "camera-defocused", "camera-turned", "camera-frozen", "camera-infrared", "camera-dark",
        "camera-stalled", "camera-corrupt", "camera-resized", "camera-clear",
    ]  # fmt: skip
    camera: Slug


class Enter(_Step):
    """Figures enter the stage of a camera and follow a path; `clear-stage` takes all away.

    Points in pixels are where their feet go, `height` and `spread`, from one figure to the next, are pixels too.
    """

    do: Literal["enter"]
    camera: Slug
    figure: Figure = Figure.PERSON
    path: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]
    height: Annotated[int, Field(ge=20, le=1000)] = 110
    speed: Annotated[float, Field(gt=0, le=1000)] = 40.0
    count: Annotated[int, Field(ge=1, le=20)] = 1
    gap_s: Annotated[float, Field(ge=0, le=60)] = 1.5
    spread: float = 0.0
    stays: bool = False


class ClearStage(_Step):
    do: Literal["clear-stage"]
    camera: Slug


class NetworkStep(_Step):
    do: Literal["cut-network", "black-hole-network", "mend-network", "stop-broker", "start-broker"]


class OrderStep(_Step):
    """The centre signs an order and sends it; `outcome` is what the gateway must answer."""

    do: Literal["order"]
    verb: Verb
    args: Mapping[str, Any] = Field(default_factory=dict)
    outcome: Verdict = Verdict.DONE


class AgentStep(_Step):
    """Kill with -9 and start again, or stop in order and start again."""

    do: Literal["kill-agent", "restart-agent", "kill-vision"]


ActionStep = Annotated[
    PresentCard | PressKeys | MoveDoor | WalkThrough | SetPoint | TamperReader | Cable | Silence | Walk | NetworkStep
    | CameraTrouble | Enter | ClearStage | AgentStep | ReaderTrouble | SwapReader | BusTrouble | Wait | OrderStep,
    Field(discriminator="do"),
]  # fmt: skip


class ScenarioCard(Confined):
    """A card the compound knows when it names doors, and an unknown one when it names none."""

    number: Annotated[int, Field(ge=0)]
    bits: Annotated[int, Field(ge=1, le=128)] = 26
    doors: tuple[Slug, ...] = ()
    pin: str | None = None
    duress: str | None = None
    """The PIN its holder types under threat."""
    extended: bool = False
    exempt: bool = False


class Scenario(Confined):
    title: Name
    cards: Mapping[str, ScenarioCard] = Field(default_factory=dict)
    stages: tuple[Slug, ...] = ()
    """Cameras that look at a stage, on which figures enter; the others play their clip."""
    steps: Annotated[tuple[ActionStep, ...], Field(min_length=1)]


def find(name: str) -> Path:
    """A file by its path, or a scenario that ships with Gatehouse by its name."""
    built_in = BUILT_IN / f"{name}.toml"
    path = built_in if built_in.is_file() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in BUILT_IN.glob("*.toml")))
        raise ConfigError(f"there is no scenario {name}", hint=f"give a file, or one of: {known}")
    return path


def load(path: Path) -> Scenario:
    """Raises: ConfigError that names the step and what is wrong with it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="a scenario is a TOML file; see simulators/scenarios/") from error
    for step in raw.get("steps", ()) if isinstance(raw.get("steps"), list) else ():
        if isinstance(step, dict):
            step.setdefault("do", "wait")
    try:
        return TypeAdapter(Scenario).validate_python(raw)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:5])
        raise ConfigError(f"{path}: {found}", hint="see the actions in simulators/README.md") from error
