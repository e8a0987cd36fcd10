"""Who a gateway is and where it stands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agent.settings.names import Name
from drivers.base import Confined


class Level(StrEnum):
    """The four levels of centre, the widest first."""

    CITY = "city"  # 市
    COUNTY = "county"  # 区县
    STREET = "street"  # 街道、乡镇
    COMMUNITY = "community"  # 社区、村


AreaCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4,12}$")]
AreaName = Annotated[str, Field(min_length=1, max_length=60)]
GatewayId = Annotated[str, Field(pattern=r"^gh-[0-9a-z]{4,32}$")]
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z]+(/[A-Za-z0-9_+-]+)*$")]


class AreaNames(Confined):
    """What the four levels are called in Chinese; carried in `status`."""

    city: AreaName | None = None
    county: AreaName | None = None
    street: AreaName | None = None
    community: AreaName | None = None


class Gateway(Confined):
    """`id` is permanent; the codes may change with mergers."""

    id: GatewayId
    city: AreaCode
    county: AreaCode
    street: AreaCode
    community: AreaCode
    areas: AreaNames = AreaNames()
    name: Name
    grid: str | None = None
    """Grid cell (网格) whose worker is sent."""
    timezone: TimeZone = "Asia/Shanghai"
    """Whose wall clock the schedules and the dates of cards follow."""

    @property
    def codes(self) -> Mapping[Level, str]:
        return {level: getattr(self, level) for level in Level}

    @property
    def path(self) -> str:
        """Codes and id: the gateway's place in topics, and the common name of its certificate."""
        return "/".join((*self.codes.values(), self.id))
