"""Checks of the time zone, the schedules and the holidays."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.settings.models import Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words


def problems(settings: Settings) -> Iterator[Finding]:
    yield from _timezone(settings)
    yield from _windows(settings)
    yield from _holidays(settings)


def _timezone(settings: Settings) -> Iterator[Finding]:
    name = settings.gateway.timezone
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        yield Finding(
            ("gateway", "timezone"),
            Words(f'is "{name}", which this machine does not know.', f'当前为 "{name}"，本机没有该时区。'),
            Words(
                'Write a name of the IANA list, such as "Asia/Shanghai"; the list is in the package tzdata.',
                '请填写 IANA 时区名称，例如 "Asia/Shanghai"；时区数据在软件包 tzdata 中。',
            ),
        )


def _windows(settings: Settings) -> Iterator[Finding]:
    for index, schedule in enumerate(settings.schedules):
        for n, window in enumerate(schedule.windows):
            place: KeyPath = ("schedules", index, "windows", n)
            if window.begins == "24:00":
                yield Finding(
                    (*place, "from"),
                    Words('is "24:00", which begins on the following day.', '当前为 "24:00"，已属于次日。'),
                    Words('Write "00:00", and name the following day.', '请写 "00:00"，并填写次日的星期。'),
                )
            elif window.begins == window.ends:
                yield Finding(
                    (*place, "to"),
                    Words("is the time at which the window begins.", "与开始时刻相同。"),
                    Words('For a whole day write from = "00:00" and to = "24:00".', '全天请写 "00:00" 到 "24:00"。'),
                )


def _holidays(settings: Settings) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, holiday in enumerate(settings.holidays):
        place: KeyPath = ("holidays", index, "date")
        try:
            date.fromisoformat(holiday.date)
        except ValueError:
            yield Finding(
                place,
                Words(f'is "{holiday.date}", and there is no such day.', f'当前为 "{holiday.date}"，没有这一天。'),
                Words("Write a day that the calendar has.", "请填写日历上存在的日期。"),
            )
        if holiday.date in seen:
            yield Finding(
                place,
                Words(f'is "{holiday.date}", which is listed already.', f'当前为 "{holiday.date}"，该日期已列出。'),
                Words("Remove one of the two.", "请删除其中一项。"),
            )
        seen.add(holiday.date)
