"""How soon a reader usually answers, so that its reply is looked at once, when it is there, and not piece by piece."""

_MARGIN_S = 0.0005
_SOONER = 0.999
_MOST_S = 0.005
"""Who takes longer is read as it comes: no poll of the others is put off by more than this."""


class Usual:
    """Belongs to one reader. The estimate creeps down as long as the whole reply is there, and else starts anew."""

    def __init__(self) -> None:
        self.first_byte_s = 0.0
        """From the end of a command to the first byte of its reply."""

    def was_there(self) -> None:
        """The reply was there when it was looked at: it may come sooner than that."""
        self.first_byte_s *= _SOONER

    def took(self, first_byte_s: float) -> None:
        """The reply was read as it came, and began so soon."""
        self.first_byte_s = min(_MOST_S, max(0.0, first_byte_s) + _MARGIN_S)
