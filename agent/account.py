"""Parts of what the running agent says of itself to `gatehouse status`, as plain data."""

from collections.abc import Mapping

from agent.events import JsonValue
from agent.journal import Journal
from agent.settings import Settings
from agent.uplink import LinkState


def names_of(settings: Settings) -> Mapping[str, JsonValue]:
    """The gateway, and everything that has a name."""
    gateway = settings.gateway
    named = {door.id: door.name for door in settings.doors}
    named |= {sensor.id: sensor.name for sensor in settings.sensors}
    named |= {camera.id: camera.name for camera in settings.cameras}
    for camera in settings.cameras:
        named |= {f"{camera.id}/{zone.id}": zone.name for zone in camera.zones}
        named |= {f"{camera.id}/{line.id}": line.name for line in camera.lines}
    return {
        "gateway": {"id": gateway.id, "zh": gateway.name.zh, "en": gateway.name.en},
        "names": {thing: {"zh": name.zh, "en": name.en} for thing, name in named.items()},
    }


def link_of(link: LinkState) -> Mapping[str, JsonValue]:
    return {
        "link": {
            "phase": link.phase.value,
            "reason": link.reason,
            "hint": link.hint,
            "protocol": link.protocol.value if link.protocol else None,
        }
    }


def journal_of(journal: Journal) -> Mapping[str, JsonValue]:
    health = journal.health
    return {
        "journal": {
            "state": health.state.value,
            "reason": health.reason,
            "hint": health.hint,
            "refused": health.refused,
            "pending": journal.pending,
            "epoch": journal.epoch,
        },
        "lanes": {
            lane.value: {"last": s.last, "confirmed": s.confirmed, "waiting": s.waiting}
            for lane, s in journal.lanes.items()
        },
    }
