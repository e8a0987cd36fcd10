"""One thing that is followed: where it is, what it looks like, and what it has done to be believed.

Places, ways, velocities and sizes are complex numbers, x + y·1j in pixels of the picture, y downwards: one sum does for
both axes, and `abs()` is the length of a way.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.observations import Label
from agent.vision.patches import Luma, Patch, Place
from models.boxes import Sides
from models.detector import Detection

_HITS: Final = 2
_LOOKS = 5
"""A track is confirmed by two hits in five looks, and by having convinced, or moved and convinced enough together."""
_WINDOW = (1 << _LOOKS) - 1
_TRIES = 10
"""Looks after which an unconfirmed track is given up: it neither moves nor convinces."""
_FAINT, _FAINT_S = 5, 2.0
"""Hits and time after which a confirmed track is given up that neither moves nor scores enough for a birth: a post that
somebody stood behind goes on looking a little like him.
"""
_TENTATIVE_MISSES = 2
_LOST_S = 2.0
"""A confirmed track outlives this long without a hit."""
_LOST_MISSES = 3
_AHEAD_S = 1.0
"""Nobody is expected further along than this would take."""
_COAST = 2
"""Looks for which a track that is missed is shown where its patch is found again."""
_MOVED = 0.5
"""Displacement, in box heights, that proves a thing alive."""
_ENOUGH = 1.1
"""Way, as a share of that displacement, and score, as a share of the way from a birth's to a sure one, must add up to
this: a cone that somebody passes trembles by a fifth of its height and scores half-way; a person who enters has more of
both within two or three looks.
"""
_FOLLOW, _STEER, _RESIZE = 0.9, 0.4, 0.6
"""How much of what was seen against what was expected moves a box, turns its velocity and changes its size."""
_DOUBT = 0.25
"""How much of that is done where another is expected too, and missed: what is seen may be either of them, or both."""
_LEARN = 0.2
"""How much of the colours it is seen in a thing takes on at a hit."""


class Sight(NamedTuple):
    """What one look shows of one thing."""

    found: Detection
    sure: float
    """By its score: from 0 on enough for a birth, from 1 on to be believed without any movement."""
    colours: Sequence[float]


class Thing:
    """Born of what was seen at a look, whose picture at half its size is `plane`."""

    def __init__(self, number: int, sight: Sight, plane: Luma, mono_s: float) -> None:
        self.id = number
        self.label = Label(sight.found.label)
        self.confirmed = False
        self.score = sight.found.score
        self.colours = sight.colours
        self.age = 1
        """Looks since birth."""
        self.misses = 0
        """Looks since the last hit."""
        self.seen_s = mono_s
        """When it was last hit."""
        self._hit_at, self._size = _centre_and_size(sight.found.box)
        self._plane: Luma | None = plane
        """Of the last hit, for the looks in which it may yet be shown; its patch is cut from it."""
        self._centre, self._at_s, self._velocity = self._hit_at, mono_s, 0j
        """Where it was last known to be, and when; pixels a second."""
        self._held = False
        """Whether its patch was found when it was last looked for, since the last hit."""
        self._born_at = self._hit_at
        self._surest = sight.sure
        self._looks = 1
        """The last _LOOKS looks, the newest lowest; a bit is set for a hit."""
        self._lively_at, self._lively_s = self._hit_at, mono_s
        """Where and when it last scored enough for a birth, or had moved."""
        self._faint = 0
        """Hits since then."""

    @property
    def promising(self) -> bool:
        """Whether it is new, was seen at the last look and waits for its confirmation."""
        return not self.confirmed and self.age <= _HITS and self.misses == 0

    @property
    def coasting(self) -> bool:
        """Whether it is confirmed and was missed so lately that it is still shown if its patch is found."""
        return self.confirmed and 0 < self.misses <= _COAST

    @property
    def shown(self) -> bool:
        return self.confirmed and (self.misses == 0 or self._held)

    def expected(self, mono_s: float) -> Sides:
        """Where it should be at that time."""
        centre, half = self._place(mono_s), self._size / 2
        low, high = centre - half, centre + half
        return low.real, low.imag, high.real, high.imag

    def miss(self) -> None:
        """One more look; `hit` says that it was seen in it."""
        self.age += 1
        self.misses += 1
        self._looks = self._looks << 1 & _WINDOW
        self._held = False
        if self.misses > _COAST:
            self._plane = None

    def hit(self, sight: Sight, plane: Luma, mono_s: float, *, crowded: bool, doubted: bool) -> None:
        """It was seen in the look that `miss` has counted; where it is `crowded`, others lend it their colours, and
        where it is `doubted`, another may be what was seen.
        """
        centre, size = _centre_and_size(sight.found.box)
        # From hit to hit: a patch that was found in between has moved the thing, and said nothing of its velocity.
        turn = (centre - self._hit_at) / max(mono_s - self.seen_s, 1e-3) - self._velocity
        expected = self._centre + self._velocity * max(mono_s - self._at_s, 0)
        follow, steer = (1.0, 1.0) if self.age == 2 else (_FOLLOW, _STEER)  # the first step gives the whole velocity
        belief = _DOUBT if doubted else 1.0
        self._centre = self._hit_at = expected + belief * follow * (centre - expected)
        self._velocity += belief * steer * turn
        self._size += belief * _RESIZE * (size - self._size)
        if not (crowded or doubted):
            self.colours = [own + _LEARN * (new - own) for own, new in zip(self.colours, sight.colours, strict=True)]
        self.score, self._surest = sight.found.score, max(self._surest, sight.sure)
        self.seen_s = self._at_s = mono_s
        self.misses, self._plane = 0, plane
        self._looks |= 1
        if not self.confirmed:
            way = abs(centre - self._born_at)
            proven = self._surest >= 1 or way >= (_ENOUGH - self._surest) * _MOVED * size.imag
            self.confirmed = proven and self._looks.bit_count() >= _HITS
        self._faint += 1
        if sight.sure >= 0 or abs(self._centre - self._lively_at) >= _MOVED * self._size.imag:
            self._lively_at, self._lively_s, self._faint = self._centre, mono_s, 0

    def find(self, plane: Luma, mono_s: float) -> None:
        """Look for its patch where it is expected in a picture, at half its size."""
        patch = None if self._plane is None else Patch.cut(self._plane, self._hit_at, self._size)
        found = None if patch is None else patch.find(plane, self._place(mono_s))
        self._held = found is not None
        if found is not None:
            self._centre, self._at_s = found, mono_s

    def lost(self, mono_s: float) -> bool:
        """Whether it is to be given up."""
        if not self.confirmed:
            return self.misses >= _TENTATIVE_MISSES or self.age > _TRIES
        gone = self.misses >= _LOST_MISSES and mono_s - self.seen_s > _LOST_S
        return gone or (self._faint > _FAINT and mono_s - self._lively_s > _FAINT_S)

    def _place(self, mono_s: float) -> Place:
        return self._centre + self._velocity * min(mono_s - self._at_s, _AHEAD_S)


def _centre_and_size(box: Sides) -> tuple[Place, Place]:
    left, top, right, bottom = box
    return complex(left + right, top + bottom) / 2, complex(right - left, bottom - top)
