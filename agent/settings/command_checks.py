"""Checks of what the centre's orders may reach."""

from collections.abc import Iterator

from agent.settings import inventory
from agent.settings.inventory import Nature
from agent.settings.models import Settings
from agent.settings.problems import Finding, KeyPath
from agent.words import Words


def problems(settings: Settings) -> Iterator[Finding]:
    if settings.commands.signed_receipts and not settings.commands.roots:
        yield Finding(
            ("commands", "signed_receipts"),
            Words("is true, but no root vouches for the centre's keys.", "为 true，但没有根密钥可用于验证。"),
            Words("Name commands.roots, or leave it out.", "请填写 commands.roots，或删除该项。"),
        )
    owners = {door.lock: door.id for door in settings.doors}
    owners |= {door.sounder: door.id for door in settings.doors if door.sounder is not None}
    outputs = [ref for ref, nature in inventory.points(settings).items() if nature is Nature.OUTPUT]
    free = [ref for ref in outputs if ref not in owners]
    choose = Words(f"Name one of: {', '.join(free)}.", f"可选：{'、'.join(free)}。")
    if not free:
        choose = Words("Add such an output under devices first.", "请先在 devices 中添加该输出。")
    named: list[tuple[KeyPath, str]] = [
        (("commands", "outputs", n), o) for n, o in enumerate(settings.commands.outputs)
    ]
    if settings.handling.output is not None:
        named.append((("handling", "output"), settings.handling.output))
    for place, output in named:
        if output in owners:
            yield Finding(
                place,
                Words(f'is "{output}", which belongs to door {owners[output]}.',
                      f'当前为 "{output}"，属于门 {owners[output]}。'),
                Words("Doors follow unlock, lock and lockdown only; take it out.",
                      "门只接受开门、锁门和封锁指令，请删除该项。"),
            )  # fmt: skip
        elif output not in outputs:
            yield Finding(
                place, Words(f'is "{output}", which is no output.', f'当前为 "{output}"，不是输出点。'), choose
            )


def weaknesses(settings: Settings) -> Iterator[Finding]:
    if settings.commands.roots and not settings.commands.receipts_are_signed:
        yield Finding(
            ("commands", "signed_receipts"),
            Words("is false: whoever can write to the broker can have events released that nobody has stored.",
                  "为 false：能写入代理的人可以伪造回执，使未存储的事件被释放。"),
            Words("Remove it once the centre signs its receipts.", "中心开始签名回执后请删除该项。"),
        )  # fmt: skip
    match len(settings.commands.roots):
        case 0:
            yield Finding(
                ("commands", "roots"),
                Words("is not given: the gateway takes no orders, and believes every receipt.",
                      "未填写：网关不接受指令，且无法验证回执。"),
                Words("Name the public halves of the centre's two root keys.", "请填写中心两个根密钥的公钥文件。"),
            )  # fmt: skip
        case 1:
            yield Finding(
                ("commands", "roots"),
                Words("names one key: if it is lost, every gateway must be visited.",
                      "只有一个密钥：一旦丢失，每台网关都要上门处理。"),
                Words("Pin a second root, kept elsewhere.", "请再固定一个存放在别处的根密钥。"),
            )  # fmt: skip
        case _:
            pass
