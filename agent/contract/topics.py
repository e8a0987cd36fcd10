"""Where a gateway speaks and listens: the topics of the contract."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from agent.events import Lane
from agent.settings import Gateway


class Suffix(StrEnum):
    """What follows the gateway's path; every topic of the contract is one of these."""

    PRESENCE = "presence"
    STATUS = "status"
    EVENT = "event/{lane}/{kind}"
    DEVICE = "device/{device}"
    HEALTH = "health"
    MEDIA = "media/{snapshot}"
    REPLY = "reply/{request}"
    RECEIPT = "receipt"
    REQUEST = "request"
    COMMAND = "command/{verb}"

    def filled(self, **levels: str) -> str:
        return self.value.format(**levels)


@dataclass(frozen=True, slots=True)
class Topics:
    """Where one gateway speaks and listens."""

    path: str
    """`city/county/street/community/gateway`, also the common name of its certificate."""

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        return cls("/".join((*gateway.codes.values(), gateway.id)))

    def up(self, suffix: str) -> str:
        return f"gatehouse/1/up/{self.path}/{suffix}"

    def down(self, suffix: str) -> str:
        return f"gatehouse/1/down/{self.path}/{suffix}"

    @property
    def presence(self) -> str:
        return self.up(Suffix.PRESENCE)

    @property
    def status(self) -> str:
        return self.up(Suffix.STATUS)

    def event(self, lane: Lane, kind: str) -> str:
        return self.up(Suffix.EVENT.filled(lane=lane, kind=kind))

    def device(self, device: str) -> str:
        return self.up(Suffix.DEVICE.filled(device=device))

    def media(self, snapshot: str) -> str:
        return self.up(Suffix.MEDIA.filled(snapshot=snapshot))

    def reply(self, request_id: str) -> str:
        return self.up(Suffix.REPLY.filled(request=request_id))

    @property
    def receipt(self) -> str:
        return self.down(Suffix.RECEIPT)

    @property
    def request(self) -> str:
        return self.down(Suffix.REQUEST)

    def command(self, verb: str) -> str:
        return self.down(Suffix.COMMAND.filled(verb=verb))


def split_up(topic: str) -> tuple[str, str, str] | None:
    """`(path, gateway, suffix)` of a topic a gateway publishes on; None for any other topic."""
    parts = topic.split("/")
    if len(parts) < 9 or parts[:3] != ["gatehouse", "1", "up"]:
        return None
    return "/".join(parts[3:8]), parts[7], "/".join(parts[8:])
