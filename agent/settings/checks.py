"""What no single key shows: every check over the whole file, in one pass."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from agent.settings import calendar, camera_checks, command_checks, doors, inventory, surroundings, wiring
from agent.settings.inventory import Nature
from agent.settings.models import Door, Sensor, Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words

_NATURES = {
    Nature.TRUTH: Words("an input", "输入点"),
    Nature.NUMBER: Words("a number", "数值点"),
    Nature.OUTPUT: Words("an output", "输出点"),
}


def problems(settings: Settings) -> Iterator[Finding]:
    """Everything that keeps the settings from being run."""
    yield from _ids_once(settings)
    yield from _points_once(settings)
    yield from _doors(settings)
    yield from _doors_share_nothing(settings)
    yield from _sensors(settings)
    yield from wiring.problems(settings)
    yield from surroundings.problems(settings)
    yield from calendar.problems(settings)
    yield from doors.problems(settings)
    yield from camera_checks.problems(settings)
    yield from command_checks.problems(settings)


def _ids_once(settings: Settings) -> Iterator[Finding]:
    places: dict[str, list[KeyPath]] = defaultdict(list)
    for name, place in inventory.ids(settings):
        places[name].append(place)
    for name, where in places.items():
        for place in where[1:]:
            first, again = str(where[0][-2]), str(place[-2])
            yield Finding(
                (*place, "id"),
                Words(
                    f'is "{name}", which is already the id of an entry under {first}.',
                    f'当前为 "{name}"，该标识已在 {first} 中使用。',
                ),
                Words(
                    f"Give this entry of {again} another id; an id stands once in the whole file.",
                    f"请为 {again} 的这一项换一个标识；同一标识在整个文件中只能出现一次。",
                ),
            )


def _points_once(settings: Settings) -> Iterator[Finding]:
    seen = set()
    for owner, point, place in inventory.point_ids(settings):
        if (owner, point) in seen:
            yield Finding(
                (*place, "id"),
                Words(f'is "{point}", which {owner} has already.', f'当前为 "{point}"，{owner} 中已有同名的点。'),
                Words(f"Give the point another id within {owner}.", f"请在 {owner} 内换一个标识。"),
            )
        seen.add((owner, point))


def _doors(settings: Settings) -> Iterator[Finding]:
    readers, points = inventory.readers(settings), inventory.points(settings)
    for index, door in enumerate(settings.doors):
        place: KeyPath = ("doors", index)
        if door.reader is not None and door.reader not in readers:
            yield _absent((*place, "reader"), door.reader, readers, Words("reader", "读卡器"))
        for key, ref, nature in _wires(door):
            yield from _names(points, (*place, key), ref, nature)
        if door.rex is not None and door.rex == door.contact:
            yield Finding(
                (*place, "rex"),
                Words("is the same input as the contact.", "与门磁使用了同一个输入。"),
                Words("Name the input of the exit button, or leave rex out.", "请填写出门按钮的输入；没有则删除 rex。"),
            )


def _wires(door: Door) -> Iterator[tuple[str, str, Nature]]:
    yield "lock", door.lock, Nature.OUTPUT
    if door.sounder is not None:
        yield "sounder", door.sounder, Nature.OUTPUT
    for key in ("contact", "rex", "fire", "fire_reset"):
        if (ref := getattr(door, key)) is not None:
            yield key, ref, Nature.TRUTH


def _names(points: dict[str, Nature], place: KeyPath, ref: str, nature: Nature) -> Iterator[Finding]:
    """One finding when `ref` is not there, or is not of the nature wanted."""
    wanted, there = _NATURES[nature], [name for name, seen in points.items() if seen is nature]
    if ref not in points:
        yield _absent(place, ref, there, wanted)
    elif points[ref] is not nature:
        seen = _NATURES[points[ref]]
        yield Finding(
            place,
            Words(
                f'is "{ref}", which is {seen.en}, not {wanted.en}.', f'当前为 "{ref}"，它是{seen.zh}，不是{wanted.zh}。'
            ),
            _choose(ref, there, wanted),
        )


def _absent(place: KeyPath, ref: str, there: Iterable[str], wanted: Words) -> Finding:
    return Finding(
        place,
        Words(f'is "{ref}", which is not in this file.', f'当前为 "{ref}"，文件中没有它。'),
        _choose(ref, list(there), wanted),
    )


def _choose(ref: str, there: list[str], wanted: Words) -> Words:
    """Ask for one of what is there, the most alike first."""
    noun = wanted.en.removeprefix("an ").removeprefix("a ")
    if not there:
        return Words(f"Add such {noun} under devices first.", f"请先在 devices 中添加{wanted.zh}。")
    alike = get_close_matches(ref, there, 3, 0.6)
    names = [*alike, *(name for name in there if name not in alike)]
    more = "" if len(names) <= 12 else " …"
    listed = ", ".join(names[:12]) + more
    return Words(f"Name one of the {noun}s that are there: {listed}.", f"请选择已有的{wanted.zh}：{listed}。")


def _doors_share_nothing(settings: Settings) -> Iterator[Finding]:
    """A lock and a contact belong to one door each, and nobody's sounder opens a door."""
    for key, noun in (("lock", Words("lock", "门锁")), ("contact", Words("contact", "门磁"))):
        owner: dict[str, str] = {}
        for index, door in enumerate(settings.doors):
            ref = getattr(door, key)
            if ref in owner:
                yield Finding(
                    ("doors", index, key),
                    Words(f'is "{ref}", which door {owner[ref]} uses.', f'当前为 "{ref}"，门 {owner[ref]} 已使用它。'),
                    Words(f"Give each door a {noun.en} of its own.", f"请为每扇门指定各自的{noun.zh}。"),
                )
            elif ref is not None:
                owner[ref] = door.id
    locks = {door.lock: door.id for door in settings.doors}
    for index, door in enumerate(settings.doors):
        other = locks.get(str(door.sounder), door.id)
        if other != door.id:
            yield Finding(
                ("doors", index, "sounder"),
                Words(
                    f'is "{door.sounder}", which is the lock of door {other}.',
                    f'当前为 "{door.sounder}"，它是门 {other} 的门锁。',
                ),
                Words("Name the output of a sounder, or leave it out.", "请填写蜂鸣器的输出点；没有则删除该项。"),
            )


def _sensors(settings: Settings) -> Iterator[Finding]:
    points = inventory.points(settings)
    readable = [ref for ref, nature in points.items() if nature is not Nature.OUTPUT]
    for index, sensor in enumerate(settings.sensors):
        place: KeyPath = ("sensors", index)
        match points.get(sensor.point):
            case None:
                yield _absent((*place, "point"), sensor.point, readable, Words("point", "点"))
            case Nature.OUTPUT:
                yield Finding(
                    (*place, "point"),
                    Words(f'is "{sensor.point}", which is an output.', f'当前为 "{sensor.point}"，它是输出点。'),
                    _choose(sensor.point, readable, Words("point that can be read", "可读取的点")),
                )
            case Nature.NUMBER:
                yield from _number_limits(sensor, place)
            case Nature.TRUTH:
                yield from _truth_limits(sensor, place)


def _number_limits(sensor: Sensor, place: KeyPath) -> Iterator[Finding]:
    if sensor.above is None and sensor.below is None:
        yield Finding(
            (*place, "point"),
            Words(
                f'is "{sensor.point}", a number, and no limit is given.', f'为数值点 "{sensor.point}"，但没有给出限值。'
            ),
            Words(
                "Add above = … or below = …, in the point's unit.", "请添加 above = … 或 below = …（单位与该点一致）。"
            ),
        )
    elif sensor.above is not None and sensor.below is not None and sensor.below >= sensor.above:
        yield Finding(
            (*place, "below"),
            Words(
                f"is {sensor.below:g}, not less than above ({sensor.above:g}): every value would be an alarm.",
                f"当前为 {sensor.below:g}，不小于 above（{sensor.above:g}）：任何数值都会报警。",
            ),
            Words("Write a below that is less than above.", "below 应小于 above。"),
        )


def _truth_limits(sensor: Sensor, place: KeyPath) -> Iterator[Finding]:
    for key in ("above", "below", "hysteresis"):
        if getattr(sensor, key):
            yield Finding(
                (*place, key),
                Words(
                    f'cannot be used: "{sensor.point}" is on or off, not a number.',
                    f'不适用："{sensor.point}" 只有通断两种状态，不是数值。',
                ),
                Words(f"Remove {key}; the alarm is raised while the point is on.", f"请删除 {key}；该点接通时即报警。"),
            )
