"""How much work the camera process puts into a busy scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """While something moves a camera is looked at at most every `every_s`."""

    every_s: float


PROFILES: Final[Mapping[str, Profile]] = {
    "economical": Profile(every_s=0.35),
    "thorough": Profile(every_s=0.0),
}
