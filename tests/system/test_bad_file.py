"""A compound's file that cannot be run: refused with one line for each mistake, in the reader's language."""

from pathlib import Path

import pytest

from agent.words import Lang
from tests.system.conftest import SIMULATED, gatehouse

GOOD = SIMULATED.read_text("utf-8")
MISTAKES = {
    "unreadable": (
        None, "file", {Lang.EN: "No such file", Lang.ZH: "文件不存在"}, {Lang.EN: "exists", Lang.ZH: "存在"}
    ),
    "bad TOML": (
        GOOD.replace('grid = "', "grid = ", 1).encode(), "file",
        {Lang.EN: "not valid TOML", Lang.ZH: "不是有效的 TOML"}, {Lang.EN: "missing quote", Lang.ZH: "缺少引号"},
    ),
    "no text": (
        b"\xff\xfe\x00", "file", {Lang.EN: "not UTF-8", Lang.ZH: "不是 UTF-8"}, {Lang.EN: "UTF-8", Lang.ZH: "UTF-8"}
    ),
    "unknown key": (
        GOOD.replace("unlock_s", "unlok_s", 1).encode(), "doors.north-gate.unlok_s",
        {Lang.EN: "not a key", Lang.ZH: "没有这个键"}, {Lang.EN: '"unlock_s"', Lang.ZH: '"unlock_s"'},
    ),
    "door without reader": (
        GOOD.replace('reader = "reader-north"', 'reader = "reader-nord"').encode(), "doors.north-gate.reader",
        {Lang.EN: '"reader-nord"', Lang.ZH: '"reader-nord"'}, {Lang.EN: "reader-north", Lang.ZH: "reader-north"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("mistake", MISTAKES)
async def test_file_that_cannot_be_run_is_refused_with_key_reason_and_cure(
    mistake: str, lang: Lang, tmp_path: Path
) -> None:
    content, key, reason, cure = MISTAKES[mistake]
    file = tmp_path / "site.toml"
    if content is not None:
        file.write_bytes(content)
    checked = await gatehouse("check", file, "--lang", lang)
    run = await gatehouse("run", file, "--lang", lang)
    assert (checked.code, run.code) == (2, 2)
    assert "Traceback" not in checked.out + checked.err + run.out + run.err
    assert key in checked.out or lang is Lang.ZH
    for part in (reason[lang], cure[lang]):
        assert part in checked.out
    # What the service's log holds is whole in one line.
    (line,) = [line for line in run.err.splitlines() if reason[lang] in line]
    assert str(file) in line
    assert cure[lang] in line
    assert key in line or (lang is Lang.ZH and key == "file")


async def test_every_mistake_has_its_own_line(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(GOOD.replace("unlock_s", "unlok_s").replace("fps = 5", 'fps = "five"'), "utf-8")
    run = await gatehouse("run", file, "--lang", "en")
    assert run.code == 2
    lines = run.err.splitlines()
    assert [sum(key in line for line in lines) for key in ("north-gate.unlok_s", "south-gate.unlok_s", "fps")] == [
        1,
        1,
        1,
    ]
