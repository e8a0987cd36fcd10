"""Points, polygons and lines in pixels of a camera's picture, origin top left."""

from math import hypot

from agent.settings.cameras import Line, Point, Polygon

_ENDS = 0.05
"""A path counts as crossing a line up to so much of its length beyond either end."""


def contains(polygon: Polygon, point: Point) -> bool:
    """Whether the point lies in the polygon or on its edge (even-odd rule: edges crossed by a ray to the right)."""
    x, y = point
    inside = False
    bx, by = polygon[-1]
    for cx, cy in polygon:
        side = (cx - bx) * (y - by) - (cy - by) * (x - bx)
        if side == 0 and min(bx, cx) <= x <= max(bx, cx) and min(by, cy) <= y <= max(by, cy):
            return True
        if (cy > y) != (by > y) and (side > 0) == (cy > by):
            inside = not inside
        bx, by = cx, cy
    return inside


def depth(line: Line, point: Point) -> float:
    """How far the point lies to the inner side of the endless line, in pixels; negative: outside."""
    (ax, ay), (bx, by) = line.ends
    across = _turn(line.ends, point) / hypot(bx - ax, by - ay)
    return across if _turn(line.ends, line.inside) > 0 else -across


def goes_through(line: Line, start: Point, end: Point) -> bool:
    """Whether the way from `start` to `end`, on different sides of the endless line, passes between the line's ends."""
    before, after = depth(line, start), depth(line, end)
    if before == after:
        return False
    share = before / (before - after)
    x, y = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
    (ax, ay), (bx, by) = line.ends
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    return -_ENDS <= along <= 1 + _ENDS


def _turn(ends: tuple[Point, Point], point: Point) -> float:
    (ax, ay), (bx, by) = ends
    return (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)
