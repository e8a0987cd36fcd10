"""Administrative codes: their lengths, and that each lies in the one above.

City and county have 6 digits (GB/T 2260), street or township 9 (GB/T 10114), community or village 12 (统计用区划代码).
A code with a letter in it is one that the city has given itself, for a development zone that has none: it is taken as
it stands, and what lies below it must still lie in the nearest level that has a national code.
"""

from collections.abc import Iterator
from typing import Final

from agent.settings.gateway import Gateway, Level
from agent.settings.problems import Finding
from agent.words import Words

_LENGTH: Final = {Level.CITY: 6, Level.COUNTY: 6, Level.STREET: 9, Level.COMMUNITY: 12}
_SHARED: Final = {Level.CITY: 4, Level.COUNTY: 6, Level.STREET: 9, Level.COMMUNITY: 12}
"""So many digits of a level's code begin every code below it."""


def problems(gateway: Gateway) -> Iterator[Finding]:
    above: tuple[Level, str] | None = None
    for level, code in gateway.codes.items():
        if not code.isdigit():
            continue
        if len(code) != _LENGTH[level]:
            yield _length(level, code)
            continue
        if level is Level.CITY and not code.endswith("00"):
            yield _no_city(code)
        if above is not None and not code.startswith(above[1][: _SHARED[above[0]]]):
            yield _elsewhere(level, code, *above)
        above = level, code


def _length(level: Level, code: str) -> Finding:
    digits = _LENGTH[level]
    return Finding(
        ("gateway", level),
        Words(
            f'is "{code}", which has {len(code)} digits, not {digits}.',
            f'当前为 "{code}"，是 {len(code)} 位，应为 {digits} 位。',
        ),
        Words(
            f"Write all {digits} digits, or a code with a letter in it where the zone has no national one.",
            f"请填写完整的 {digits} 位代码；没有国家代码的开发区请使用含字母的自定代码。",
        ),
    )


def _no_city(code: str) -> Finding:
    return Finding(
        ("gateway", Level.CITY),
        Words(f'is "{code}", which is the code of a county.', f'当前为 "{code}"，是区县代码。'),
        Words(f'Write the city\'s own code, such as "{code[:4]}00".', f'请填写市级代码，例如 "{code[:4]}00"。'),
    )


def _elsewhere(level: Level, code: str, above: Level, there: str) -> Finding:
    prefix = there[: _SHARED[above]]
    return Finding(
        ("gateway", level),
        Words(f'is "{code}", which does not lie in {above} "{there}".', f'当前为 "{code}"，不属于 {above} "{there}"。'),
        Words(
            f"Write a code that begins with {prefix}, or correct {above}.", f"代码应以 {prefix} 开头，或更正 {above}。"
        ),
    )
