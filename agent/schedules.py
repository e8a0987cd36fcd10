"""When schedules hold: windows of the week by the compound's wall clock, and holidays that replace a day.

Pure; judged by the wall clock, so that "08:00" stays 08:00 where clocks are put forward and back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from agent.settings import Day, Schedule, Settings

HORIZON_DAYS = 8
"""A week and a day: every day of the week is seen to its end."""
_DAYS = tuple(Day)
_ONE_DAY = timedelta(days=1)
_HALF_HOUR = timedelta(minutes=30)
_WHOLE_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class _Span:
    """A window in minutes of its day; `until` is beyond 24 hours where it ends on the following day."""

    days: frozenset[Day]
    since: int
    until: int


class Schedules:
    """Answers for every schedule of the settings; one that is not there never holds."""

    def __init__(
        self, zone: ZoneInfo, spans: Mapping[str, tuple[_Span, ...]], holidays: Mapping[date, Day | None]
    ) -> None:
        self._zone = zone
        self._spans = spans
        self._holidays = holidays

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            ZoneInfo(settings.gateway.timezone),
            {schedule.id: _spans(schedule) for schedule in settings.schedules},
            {date.fromisoformat(holiday.date): holiday.schedule_as for holiday in settings.holidays},
        )

    @property
    def zone(self) -> ZoneInfo:
        return self._zone

    def __contains__(self, schedule_id: str) -> bool:
        return schedule_id in self._spans

    def active(self, schedule_id: str, utc: datetime) -> bool:
        """Whether the schedule holds at `utc` (aware)."""
        local = utc.astimezone(self._zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        return any(
            self._begins(span, day) and span.since <= at < span.until
            for span in self._spans.get(schedule_id, ())
            for day, at in ((today, minute), (today - _ONE_DAY, minute + _WHOLE_DAY))
        )

    def next_change(self, schedule_id: str, utc: datetime) -> datetime:
        """Until when `active` answers the same; where nothing changes so soon, a week on: ask again then."""
        now = self.active(schedule_id, utc)
        for at in self._turns(schedule_id, utc):
            if self.active(schedule_id, at) != now:
                return at
        return utc + (HORIZON_DAYS - 1) * _ONE_DAY

    def _begins(self, span: _Span, day: date) -> bool:
        as_day = self._holidays[day] if day in self._holidays else _DAYS[day.weekday()]
        return as_day in span.days

    def _turns(self, schedule_id: str, utc: datetime) -> list[datetime]:
        """Every later moment at which the schedule may begin or end to hold, in order."""
        today = utc.astimezone(self._zone).date()
        minutes = {0} | {
            at % _WHOLE_DAY for span in self._spans.get(schedule_id, ()) for at in (span.since, span.until)
        }
        turns: set[datetime] = set()
        for day in (today + n * _ONE_DAY for n in range(HORIZON_DAYS)):
            midnight = datetime.combine(day, time(), self._zone)
            walls = [midnight + timedelta(minutes=minute) for minute in minutes]
            turns |= {wall.replace(fold=fold).astimezone(UTC) for wall in walls for fold in (0, 1)}
            if midnight.utcoffset() != (midnight + _ONE_DAY).utcoffset():
                begin = midnight.astimezone(UTC)
                turns |= {begin + n * _HALF_HOUR for n in range(52)}  # the clocks are changed at one of these
        return sorted(turn for turn in turns if turn > utc)


def _spans(schedule: Schedule) -> tuple[_Span, ...]:
    return tuple(
        _Span(frozenset(window.days), _minutes(window.begins), _end(_minutes(window.begins), _minutes(window.ends)))
        for window in schedule.windows
    )


def _end(since: int, until: int) -> int:
    return until if until > since else until + _WHOLE_DAY


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
