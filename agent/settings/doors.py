"""Checks of what doors ask of one another, of their readers and of the schedules."""

from collections.abc import Iterator

from agent.settings.models import Door, PinMode, Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words


def problems(settings: Settings) -> Iterator[Finding]:
    doors = {door.id: door for door in settings.doors}
    schedules = [schedule.id for schedule in settings.schedules]
    for index, door in enumerate(settings.doors):
        place: KeyPath = ("doors", index)
        yield from _times(door, place)
        yield from _reader(door, place)
        yield from _wires(door, place)
        if door.interlock is not None:
            yield from _interlock(door, doors, place)
        if door.free_access is not None and door.free_access not in schedules:
            yield Finding(
                (*place, "free_access"),
                Words(
                    f'is "{door.free_access}", which is not a schedule of this file.',
                    f'当前为 "{door.free_access}"，文件中没有这个时段。',
                ),
                Words(
                    f"Name a schedule that is there: {', '.join(schedules)}." if schedules else "Add it to schedules.",
                    f"请选择已有的时段：{', '.join(schedules)}。" if schedules else "请先在 schedules 中添加。",
                ),
            )


def _times(door: Door, place: KeyPath) -> Iterator[Finding]:
    if door.pre_alarm_s >= door.held_s:
        yield Finding(
            (*place, "pre_alarm_s"),
            Words(
                f"is {door.pre_alarm_s:g}, not less than held_s ({door.held_s:g}).",
                f"当前为 {door.pre_alarm_s:g}，不小于 held_s（{door.held_s:g}）。",
            ),
            Words("Write a warning time that is less than held_s.", "预警时间应小于 held_s。"),
        )
    if door.extended_s < door.unlock_s:
        yield Finding(
            (*place, "extended_s"),
            Words(
                f"is {door.extended_s:g}, less than unlock_s ({door.unlock_s:g}).",
                f"当前为 {door.extended_s:g}，小于 unlock_s（{door.unlock_s:g}）。",
            ),
            Words("Write a time that is at least unlock_s.", "延长时间不应小于 unlock_s。"),
        )


def _reader(door: Door, place: KeyPath) -> Iterator[Finding]:
    if door.reader is not None:
        return
    wants = (("pin", door.pin is not PinMode.NONE), ("anti_passback_s", door.anti_passback_s > 0))
    for key, wanted in wants:
        if wanted:
            yield Finding(
                (*place, key),
                Words("is given, but the door has no reader.", "已填写，但该门没有读卡器。"),
                Words(f"Name the door's reader, or remove {key}.", f"请填写读卡器，或删除 {key}。"),
            )


def _wires(door: Door, place: KeyPath) -> Iterator[Finding]:
    """One input says one thing, one output does one thing."""
    first: dict[str, str] = {}
    for key in ("lock", "sounder", "contact", "rex", "fire", "fire_reset"):
        ref = getattr(door, key)
        if ref is None:
            continue
        if ref in first and {key, first[ref]} != {"contact", "rex"}:
            yield Finding(
                (*place, key),
                Words(f"is the same point as {first[ref]}.", f"与 {first[ref]} 使用了同一个点。"),
                Words("Name the point this wire is really on.", "请填写这根线实际连接的点。"),
            )
        first.setdefault(ref, key)


def _interlock(door: Door, doors: dict[str, Door], place: KeyPath) -> Iterator[Finding]:
    partner = doors.get(str(door.interlock))
    others = ", ".join(name for name in doors if name != door.id)
    if partner is None or partner.id == door.id:
        yield Finding(
            (*place, "interlock"),
            Words(f'is "{door.interlock}", which is not another door.', f'当前为 "{door.interlock}"，不是另一扇门。'),
            Words(
                f"Name the other door: {others}." if others else "Remove interlock; there is no other door.",
                f"请填写另一扇门：{others}。" if others else "没有其他门，请删除 interlock。",
            ),
        )
    elif partner.interlock != door.id:
        yield Finding(
            (*place, "interlock"),
            Words(
                f'is "{partner.id}", but that door does not name this one.',
                f'当前为 "{partner.id}"，但那扇门未指回本门。',
            ),
            Words(
                f'Write interlock = "{door.id}" for {partner.id}; both doors of a pair name each other.',
                f'请在 {partner.id} 中写 interlock = "{door.id}"；互锁的两扇门须互相填写。',
            ),
        )
