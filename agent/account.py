"""What the running agent says of itself: parts of `gatehouse status` and of the centre's, troubles of its uplink."""

from collections.abc import Mapping

from agent.contract import LaneStatus
from agent.credentials import Cards
from agent.events import Event, JsonValue, Kind, Lane
from agent.journal import Journal
from agent.settings import Settings
from agent.uplink import LinkState, Trouble, TroubleCode

_TROUBLES = {
    TroubleCode.RECEIPT_MISMATCH: Kind.RECEIPT_MISMATCH,
    TroubleCode.RECEIPT_FORGED: Kind.RECEIPT_FORGED,
    TroubleCode.CERTIFICATE: Kind.CERTIFICATE_FAULT,
    TroubleCode.CERTIFICATE_WELL: Kind.CERTIFICATE_RESTORED,
}
"""Of the others the centre or the broker has refused something."""


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


def cards_of(cards: Cards) -> Mapping[str, JsonValue]:
    problem = cards.problem
    return {
        "cards": {
            "count": len(cards),
            "version": cards.version,
            "problem": str(problem or ""),
            "hint": problem.hint if problem else "",
        }
    }


def lanes_of(journal: Journal) -> dict[Lane, LaneStatus]:
    """As the centre is told them."""
    return {
        lane: LaneStatus(last=s.last, confirmed=s.confirmed, oldest=s.oldest, digest=s.digest.hex())
        for lane, s in journal.lanes.items()
    }


def trouble_event(trouble: Trouble, mono_s: float) -> Event:
    """What the uplink has run into."""
    kind = _TROUBLES.get(trouble.code, Kind.UPLINK_REFUSED)
    if kind is Kind.CERTIFICATE_RESTORED:
        return Event(kind, "uplink", mono_s)
    data: dict[str, JsonValue] = {"code": trouble.code.value, "reason": trouble.reason}
    if trouble.lane is not None:
        data |= {"lane": trouble.lane.value, "sequence": trouble.sequence}
    if trouble.count > 1:
        data["count"] = trouble.count
    if trouble.hint:
        data["hint"] = trouble.hint
    return Event(kind, "uplink", mono_s, data)
