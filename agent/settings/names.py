"""What people read."""

from typing import Annotated

from pydantic import Field

from drivers.base import Confined


class Name(Confined):
    """A name people read, in both languages."""

    zh: Annotated[str, Field(min_length=1, max_length=60)]
    en: Annotated[str, Field(min_length=1, max_length=60)]
