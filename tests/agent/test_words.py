"""Chinese sentences are set alike: see `agent/words.py` for the rule."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.settings.expected import shown
from agent.words import spaced

ROOT = Path(__file__).parents[2]
HAN = "[一-鿿]"
AMISS = re.compile(
    f"{HAN}[A-Za-z0-9]|[A-Za-z0-9%]{HAN}"  # no space between them
    f"|{HAN} ?[,;:?!(](?!//)|[,;:?!)]{HAN}"  # punctuation of half width
    f"|{HAN} [，。；：？！（）]|[，。；：？！（）] {HAN}"  # a space about one of full width
)
TYPED = re.compile(
    r"\S+://主机(:\w+)?|pi@网关:\w+|卡号,持卡人,门,…|角色,角色|区码,号码|用户名:密码|值班台 \(k|全角符号 ，。|`[^`]*`"
)
"""What is typed so, or stands so in a file."""
PLACES = ("agent", "drivers", "models", "simulators")
TEXTS = (
    "README.zh-CN.md", "config/contract/README.zh-CN.md", "systemd/install.sh",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "simulators/scenarios").glob("*.toml")),
)  # fmt: skip


def sentences(source: str) -> Iterator[str]:
    """Those with Chinese in them but for patterns; `{}` is what is put in."""
    for node in ast.walk(ast.parse(source)):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if re.search(HAN, text) and "(?:" not in text:
            yield text


def amiss(text: str) -> list[str]:
    bare = TYPED.sub("·", text)
    return [bare[max(0, found.start() - 8) : found.end() + 8] for found in AMISS.finditer(bare)]


@pytest.mark.parametrize("place", PLACES)
def test_spaces_and_punctuation_of_messages(place: str) -> None:
    files = sorted((ROOT / place).rglob("*.py"))
    found = {
        file.name: wrong for file in files for text in sentences(file.read_text("utf-8")) if (wrong := amiss(text))
    }
    assert found == {}


@pytest.mark.parametrize("name", TEXTS)
def test_spaces_and_punctuation_of_texts(name: str) -> None:
    assert [wrong for line in (ROOT / name).read_text("utf-8").splitlines() for wrong in amiss(line)] == []


@pytest.mark.parametrize("text", ["共3条", "用MQTT", "门,窗", "门:开", "门 (北)", "（北） 门", "50%的", "网关 ：无"])
def test_what_is_not_set_so_is_found(text: str) -> None:
    assert amiss(text)


@pytest.mark.parametrize(
    ("value", "said"), [(5, "当前为 5，"), ("x", '当前为 "x"，'), ([1], "当前为一个列表，"), (True, "当前为 true，")]
)
def test_what_is_put_in_has_a_space_unless_it_is_chinese(value: object, said: str) -> None:
    assert f"当前为{spaced(shown(value).zh)}，" == said
