"""Checks of what is drawn in a camera's picture, and of doors and sensors that name a camera."""

from collections.abc import Iterable, Iterator, Sequence

from agent.observations import Label
from agent.settings.cameras import Camera, Line, Point, Zone, ZoneKind
from agent.settings.models import Door, Sensor, SensorKind, Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words, spaced

_CLEAR_PX = 4.0
"""The point that says where inside is must be this far from the line."""


def problems(settings: Settings) -> Iterator[Finding]:
    schedules = [schedule.id for schedule in settings.schedules]
    for index, camera in enumerate(settings.cameras):
        place: KeyPath = ("cameras", index)
        for n, zone in enumerate(camera.zones):
            yield from _zone(zone, camera, (*place, "zones", n))
            yield from _schedule(zone.schedule, schedules, (*place, "zones", n, "schedule"))
        for n, line in enumerate(camera.lines):
            yield from _line(line, camera, (*place, "lines", n))
            yield from _schedule(line.schedule, schedules, (*place, "lines", n, "schedule"))
        for n, mask in enumerate(camera.privacy):
            yield from _polygon(mask, camera, (*place, "privacy", n))
    yield from _model(settings)
    cameras = {camera.id: camera for camera in settings.cameras}
    for index, door in enumerate(settings.doors):
        yield from _camera(door.camera, cameras, ("doors", index, "camera"))
        yield from _door(door, cameras, ("doors", index))
    for index, sensor in enumerate(settings.sensors):
        yield from _camera(sensor.camera, cameras, ("sensors", index, "camera"))
        yield from _sensor(sensor, cameras, ("sensors", index))


def _model(settings: Settings) -> Iterator[Finding]:
    from models.card import FACES, names  # by name alone, with nothing that could read a picture

    detectors = [name for name in names() if name != FACES]
    if settings.vision.model_card is None and settings.vision.model not in detectors:
        yield Finding(
            ("vision", "model"),
            Words(
                f'is "{settings.vision.model}", which is not a detection model here.',
                f'当前为 "{settings.vision.model}"，没有这个检测模型。',
            ),
            Words(
                f"Write one of: {', '.join(detectors)}; or name a card of your own with model_card.",
                f"可选：{'、'.join(detectors)}；或用 model_card 指定自备模型的说明文件。",
            ),
        )


# ---------------------------------------------------------------- what is drawn


def _zone(zone: Zone, camera: Camera, place: KeyPath) -> Iterator[Finding]:
    yield from _polygon(zone.polygon, camera, (*place, "polygon"))
    crowd = zone.kind is ZoneKind.CROWD
    if crowd and zone.more_than is None:
        yield Finding(
            (*place, "more_than"),
            Words("is missing, and a crowd needs a number.", "缺失，人群聚集需要人数。"),
            Words("Add more_than = 10, or another number.", "请添加 more_than = 10 或其他人数。"),
        )
    elif not crowd and zone.more_than is not None:
        yield Finding(
            (*place, "more_than"),
            Words(f'is given, but the zone is for "{zone.kind}".', f'已填写，但该区域为 "{zone.kind}"。'),
            Words('Remove it, or write kind = "crowd".', '请删除，或写 kind = "crowd"。'),
        )


def _line(line: Line, camera: Camera, place: KeyPath) -> Iterator[Finding]:
    yield from _within(line.ends, camera, (*place, "ends"))
    yield from _within([line.inside], camera, (*place, "inside"))
    (ax, ay), (bx, by), (x, y) = *line.ends, line.inside
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
    if length < _CLEAR_PX:
        yield Finding(
            (*place, "ends"),
            Words("are one and the same point.", "两个端点重合。"),
            Words("Give two points with the way across between them.", "请给出通道两侧的两个点。"),
        )
    elif abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) < _CLEAR_PX * length:
        yield Finding(
            (*place, "inside"),
            Words("lies on the line, so that neither side is the inner one.", "在线上，无法区分内外侧。"),
            Words("Give a point well on the inner side.", "请给出明显位于内侧的一个点。"),
        )


def _polygon(polygon: Sequence[Point], camera: Camera, place: KeyPath) -> Iterator[Finding]:
    yield from _within(polygon, camera, place)
    if _flat(polygon):
        yield Finding(
            place,
            Words("encloses nothing: its corners are one point or one line.", "没有面积：各顶点重合或在一条直线上。"),
            Words(
                "Give at least 3 different corners that are not on one line.",
                "请给出至少 3 个不在同一直线上的不同顶点。",
            ),
        )
    elif (corners := _crossing(polygon)) is not None:
        first, second = (f"[{x:g}, {y:g}]" for x, y in corners)
        yield Finding(
            place,
            Words(
                f"crosses itself: the sides that begin at {first} and {second} cut each other.",
                f"自身相交：从 {first} 和 {second} 开始的两条边相交。",
            ),
            Words("Give the corners in order, once round the area.", "请沿区域边缘依次给出各顶点。"),
        )


def _within(points: Iterable[Point], camera: Camera, place: KeyPath) -> Iterator[Finding]:
    width, height = camera.picture.width, camera.picture.height
    outside = next((p for p in points if not (0 <= p[0] <= width and 0 <= p[1] <= height)), None)
    if outside is not None:
        yield Finding(
            place,
            Words(
                f"has the corner [{outside[0]:g}, {outside[1]:g}], outside the picture of {width} by {height}.",
                f"顶点 [{outside[0]:g}, {outside[1]:g}] 在 {width}×{height} 的画面之外。",
            ),
            Words(
                f"Keep x from 0 to {width} and y from 0 to {height}.",
                f"x 应在 0 到 {width}，y 应在 0 到 {height} 之间。",
            ),
        )


def _flat(polygon: Sequence[Point]) -> bool:
    """Whether all corners lie on one line."""
    first = polygon[0]
    far = max(polygon, key=lambda p: abs(p[0] - first[0]) + abs(p[1] - first[1]))
    dx, dy = far[0] - first[0], far[1] - first[1]
    return all(abs(dx * (y - first[1]) - dy * (x - first[0])) < 1e-9 for x, y in polygon)


def _crossing(polygon: Sequence[Point]) -> tuple[Point, Point] | None:
    """Where two sides begin that cut each other: then a part of the area is neither watched nor made black."""
    sides = list(zip(polygon, (*polygon[1:], polygon[0]), strict=True))
    for n, (a, b) in enumerate(sides):
        for c, d in sides[n + 2 :]:
            if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
                return a, c
    return None


def _turn(a: Point, b: Point, c: Point) -> int:
    """To which side of the way from `a` to `b` the point `c` lies: 1, -1, or 0 on it."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 0) - (cross < 0)


def _schedule(name: str | None, there: Sequence[str], place: KeyPath) -> Iterator[Finding]:
    if name is not None and name not in there:
        yield _absent(place, name, there, Words("schedule", "时段"), "schedules")


# ---------------------------------------------------------------- who names a camera


def _camera(name: str | None, cameras: dict[str, Camera], place: KeyPath) -> Iterator[Finding]:
    if name is not None and name not in cameras:
        yield _absent(place, name, cameras, Words("camera", "摄像机"), "cameras")


def _door(door: Door, cameras: dict[str, Camera], place: KeyPath) -> Iterator[Finding]:
    if door.tailgating is None:
        return
    here = (*place, "tailgating")
    if door.camera is None:
        yield _lacks(here, "camera", Words("the camera whose line it is", "这条线所属的摄像机"))
    if door.contact is None:
        yield _lacks(here, "contact", Words("the input that says when the door is open", "门磁输入"))
    if door.reader is None:
        yield _lacks(here, "reader", Words("the reader whose cards are counted", "用于计数的读卡器"))
    if (camera := cameras.get(str(door.camera))) is None:
        return
    lines = {line.id: line for line in camera.lines}
    if door.tailgating not in lines:
        yield _absent(here, door.tailgating, lines, Words(f"line of {camera.id}", f"{camera.id} 的线"), "its lines")
    elif Label.PERSON not in lines[door.tailgating].labels:
        yield Finding(
            here,
            Words(f'is "{door.tailgating}", which counts no persons.', f'当前为 "{door.tailgating}"，它不统计人员。'),
            Words('Add "person" to its labels.', '请在其 labels 中添加 "person"。'),
        )


def _sensor(sensor: Sensor, cameras: dict[str, Camera], place: KeyPath) -> Iterator[Finding]:
    for key in ("zone", "verify_s"):
        if key not in sensor.model_fields_set or getattr(sensor, key) is None:
            continue
        if sensor.kind is not SensorKind.PERIMETER:
            yield Finding(
                (*place, key),
                Words("is given, but only perimeter alarms are verified.", "已填写，但只有周界报警才做图像复核。"),
                Words(f'Remove {key}, or write kind = "perimeter".', f'请删除 {key}，或写 kind = "perimeter"。'),
            )
        elif sensor.camera is None:
            yield _lacks((*place, key), "camera", Words("the camera that sees it", "可看到该处的摄像机"))
    camera = cameras.get(str(sensor.camera))
    if camera is not None and sensor.zone is not None:
        zones = [zone.id for zone in camera.zones]
        if sensor.zone not in zones:
            noun = Words(f"zone of {camera.id}", f"{camera.id} 的区域")
            yield _absent((*place, "zone"), sensor.zone, zones, noun, "its zones")


def _absent(place: KeyPath, name: str, there: Iterable[str], noun: Words, where: str) -> Finding:
    names = list(there)
    return Finding(
        place,
        Words(
            f'is "{name}", which is not a {noun.en} in this file.',
            f'当前为 "{name}"，文件中没有这样的{spaced(noun.zh)}。',
        ),
        Words(
            f"Name a {noun.en} that is there: {', '.join(names)}." if names else f"Add it to {where} first.",
            f"请选择已有的{spaced(noun.zh)}：{'、'.join(names)}。" if names else f"请先添加{spaced(noun.zh)}。",
        ),
    )


def _lacks(place: KeyPath, key: str, what: Words) -> Finding:
    return Finding(
        place,
        Words(f"is given without {key}.", f"已填写，但没有 {key}。"),
        Words(f"Add {key}: {what.en}.", f"请添加 {key}：{what.zh}。"),
    )
