"""Checks of what is drawn in a camera's picture, and of who names the camera."""

from collections.abc import Iterator, Sequence

from agent.settings.cameras import Camera
from agent.settings.models import Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words

Polygon = Sequence[tuple[float, float]]


def problems(settings: Settings) -> Iterator[Finding]:
    for index, camera in enumerate(settings.cameras):
        place: KeyPath = ("cameras", index)
        for n, zone in enumerate(camera.zones):
            yield from _polygon(zone.polygon, camera, (*place, "zones", n, "polygon"))
        for n, mask in enumerate(camera.privacy):
            yield from _polygon(mask, camera, (*place, "privacy", n))
    yield from _links(settings)


def _links(settings: Settings) -> Iterator[Finding]:
    cameras = [camera.id for camera in settings.cameras]
    named: list[tuple[KeyPath, str | None]] = [(("doors", n), door.camera) for n, door in enumerate(settings.doors)]
    named += [(("sensors", n), sensor.camera) for n, sensor in enumerate(settings.sensors)]
    for place, camera in named:
        if camera is not None and camera not in cameras:
            yield Finding(
                (*place, "camera"),
                Words(
                    f'is "{camera}", which is not a camera of this file.', f'当前为 "{camera}"，文件中没有这台摄像机。'
                ),
                Words(
                    f"Name a camera that is there: {', '.join(cameras)}." if cameras else "Add it to cameras.",
                    f"请选择已有的摄像机：{'、'.join(cameras)}。" if cameras else "请先在 cameras 中添加。",
                ),
            )


def _polygon(polygon: Polygon, camera: Camera, place: KeyPath) -> Iterator[Finding]:
    width, height = camera.picture.width, camera.picture.height
    outside = next((p for p in polygon if not (0 <= p[0] <= width and 0 <= p[1] <= height)), None)
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
    if _flat(polygon):
        yield Finding(
            place,
            Words("encloses nothing: its corners are one point or one line.", "没有面积：各顶点重合或在一条直线上。"),
            Words(
                "Give at least 3 different corners that are not on one line.",
                "请给出至少 3 个不在同一直线上的不同顶点。",
            ),
        )


def _flat(polygon: Polygon) -> bool:
    """Whether all corners lie on one line."""
    first = polygon[0]
    far = max(polygon, key=lambda p: abs(p[0] - first[0]) + abs(p[1] - first[1]))
    dx, dy = far[0] - first[0], far[1] - first[1]
    return all(abs(dx * (y - first[1]) - dy * (x - first[0])) < 1e-9 for x, y in polygon)
