"""How much work the camera process puts into a busy scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """While something moves a camera is looked at at most every `every_s`, scaled to `side` pixels.

    Who was followed and is missed in a look is looked for closer at once, at most every `closer_s`; None: never.
    """

    every_s: float
    side: int
    closer_s: float | None = None


PROFILES: Final[Mapping[str, Profile]] = {
    "economical": Profile(every_s=0.35, side=320),
    "thorough": Profile(every_s=0.0, side=320, closer_s=0.5),
}
