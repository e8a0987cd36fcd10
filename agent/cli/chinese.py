"""Chinese for the help of every command and for argparse's own words; `agent.cli.parser` shows them."""

from typing import Final

from agent.words import Phrasebook

_SENTENCES = {
    # argparse's own
    "usage: ": "用法：",
    "error": "错误",
    "positional arguments": "参数",
    "options": "选项",
    "show this help message and exit": "显示本帮助后退出",
    "show program's version number and exit": "显示版本号后退出",
    "the following arguments are required: {}": "缺少参数 {}",
    "one of the arguments {} is required": "须给出其中一个参数：{}",
    "unrecognized arguments: {}": "无法识别的参数 {}",
    "ambiguous option: {} could match {}": "选项 {} 不明确，可能是 {}",
    "argument {}: invalid choice: {} (choose from {})": "参数 {}：不能是 {}，可选 {}",
    "argument {}: invalid {} value: {}": "参数 {0}：值 {2} 无效",
    "argument {}: expected one argument": "参数 {}：须给出一个值",
    "argument {}: expected at least one argument": "参数 {}：须给出至少一个值",
    "argument {}: expected at most one argument": "参数 {}：最多给出一个值",
    "argument {}: expected {} arguments": "参数 {}：须给出 {} 个值",
    "argument {}: expected {} argument": "参数 {}：须给出 {} 个值",
    "argument {}: ignored explicit argument {}": "参数 {}：不接受值 {}",
    "argument {}: not allowed with argument {}": "参数 {}：不能与参数 {} 同时使用",
    "argument {}: 1 to {} gateways": "参数 {}：1 至 {} 台网关",
    # gatehouse
    "The gateway agent of a residential compound.": "智慧安防小区网关代理程序。",
    "say what is wrong with a compound's file; exits 0 or 2": "指出小区配置文件中的错误；退出码 0 或 2",
    "run the agent (what the service does)": "运行代理程序（由系统服务调用）",
    "say what the running agent sees and does": "显示运行中的代理程序看到什么、在做什么",
    "say what works on this machine, what does not, and the cure": "检查本机：什么正常、什么不正常、怎么处理",
    "put every output into its safe state (the service calls it after a crash)": (
        "将所有输出置于安全状态（崩溃后由系统服务调用）"
    ),
    "the local card list: list, add, remove, import": "本地通行名单：查看、添加、删除、导入",
    "the event journal: status, tail, verify, export": "事件日志：状态、最新条目、校验、导出",
    "the detection models: list, fetch, verify, bench": "检测模型：列出、获取、校验、测速",
    "pictures of alarms that are kept here: list, show": "本机保存的报警图片：列出、查看",
    "the record of who did what: verify, show": "审计记录（谁做了什么）：校验、查看",
    "sign an order, send it to a gateway and wait for the answer": "签发一条指令，发给网关并等待应答",
    "root keys and key sets: new, sign, show": "根密钥与密钥集：生成、签发、查看",
    "find OSDP readers and give them keys, with the service stopped": "查找 OSDP 读卡器并设置密钥（须先停止服务）",
    "bring up a compound on simulated wires and play a scenario": "在模拟线路上运行小区并播放场景",
    "a day in the simulated compound, narrated": "模拟小区的一天，附解说",
    "a city of gateways against one broker and one centre": "全城网关连接同一个消息代理和中心",
    "a centre at the terminal: receipts, and the view of a district": "终端上的中心：发送回执，显示区县视图",
    "default: {}": "默认 {}",
    "language of the answer": "回答所用语言",
    "the compound's file; default {}": "小区配置文件；默认 {}",
    "default: every door": "默认所有门",
    # card
    "show the cards by reference and holder": "列出卡片的编号和持卡人",
    "enter a card; its number is asked for": "录入一张卡；卡号由提示输入",
    "take a card off the list; its number is asked for": "从名单中删除一张卡；卡号由提示输入",
    "enter the cards of a CSV file and report every line that is rejected": (
        "录入 CSV 文件中的卡片，并报告每一行被拒绝的内容"
    ),
    "length of a card: 26 (default), 34, 37, or what it has": "卡号位数：26（默认）、34、37 或实际位数",
    "printed on the card, or all raw bits of it": "printed 为卡面印刷号，raw 为全部原始位",
    "the property management's reference to a household or person, no name": "物业的住户或人员编号，不用姓名",
    "a door it opens, by id; none means all": "可开的门（id）；不填为所有门",
    "a schedule it opens in, by id; none means always": "可通行的时段（id）；不填为任何时间",
    "first day, 2026-01-01": "首日，如 2026-01-01",
    "last day, 2026-12-31": "末日，如 2026-12-31",
    "ask for a PIN": "提示输入密码",
    "ask for a PIN and a duress PIN": "提示输入密码和胁迫密码",
    "the door stays unlocked for its longer time": "使用该门较长的开锁时间",
    "anti-passback does not concern it": "不受防反传限制",
    "name the card by its reference: a lost card cannot be read": "用编号指定卡片：丢失的卡无法读取",
    "UTF-8 or GB18030; titles card,holder[,doors,schedules,valid_until,…]": (
        "UTF-8 或 GB18030 编码；标题行 card,holder[,doors,schedules,valid_until,…]"
    ),
    "report only": "只报告，不录入",
    "enter nothing when a line is rejected": "只要有一行被拒绝就全部不录入",
    "make it the whole list; strict": "用该文件替换整个名单；同时具有 --strict 的作用",
    # reader
    "the reader; for scan its bus": "读卡器；scan 时为总线",
    "install: the reader is confirmed already": "install：读卡器已确认无误",
    "install: speak the default key no longer; default 2": "install：使用默认密钥通信的最长分钟数；默认 2",
    "scan: try every baud rate, 8 s each": "scan：尝试所有波特率，每种 8 秒",
    # journal
    "how much is kept, and how much waits for the centre": "保存了多少，多少在等待中心确认",
    "the newest entries of each lane": "各通道的最新条目",
    "prove that nothing is missing or changed; exits 0 or 1": "验证没有缺失、没有改动；退出码 0 或 1",
    "write what waits to a file for the centre, a message a line as published": (
        "将待确认的内容写入文件交给中心，每行一条消息，与发布的相同"
    ),
    "a journal or its folder, on a copied card; else the compound's": (
        "事件日志或其目录，例如复制出的 SD 卡；默认为本小区的"
    ),
    "so many of a lane; default 10": "每个通道的条数；默认 10",
    "of this lane only": "只看此通道",
    "a new file": "新文件",
    "everything that is kept, what was confirmed too": "所有保存的内容，包括已确认的",
    "the gateway's id; default: that of the compound's file": "网关标识；默认取自小区配置文件",
    # models
    "show the models, their licences and whether their files are here": "列出模型、许可及其文件是否在本机",
    "get a model's file out of the package it lies in": "从所在的软件包中取出模型文件",
    "prove that the files that are here are those of their cards": "验证本机的模型文件与卡片一致",
    "measure an inference here, with each model and runtime": "在本机测量各模型、各推理引擎的单次推理时间",
    "where fetched files are; default: in the storage folder": "已获取文件的目录；默认在存储目录中",
    "the model": "模型",
    "the package, brought by hand": "人工带来的软件包",
    "only this model": "只测此模型",
    "longer side it is scaled to; default: as the gateway does it": "画面缩放后的长边；默认与网关运行时相同",
    "size of a camera's picture; default 640x480": "摄像机画面尺寸；默认 640x480",
    "inferences to take the median of; default 20": "取中位数的推理次数；默认 20",
    # snapshots
    "show which pictures are kept, of which camera, and how long": "列出保存的图片、所属摄像机和保存期限",
    "open a picture into a file; who looked and why is recorded": "将图片解密到文件；查看人和原因会被记录",
    "as the event names it": "事件中给出的图片名",
    "who looks": "查看人",
    "why": "查看原因",
    "the file to write; default ID.jpg here": "要写入的文件；默认为当前目录下的 ID.jpg",
    # audit
    "prove that no record is missing or changed; exits 1 where one is": "验证没有记录缺失或被改动；若有，退出码为 1",
    "show the records, the oldest first": "列出记录，最早的在前",
    "a copy of audit.log instead": "改用 audit.log 的副本",
    "only the last N": "只看最后 N 条",
    # command
    "unlock a door": "开门",
    "lock a door": "锁门",
    "lock doors down, or end that": "紧急封锁及解除",
    "switch an output that belongs to no door": "切换不属于任何门的输出",
    "take a picture": "抓拍",
    "restart the agent": "重启代理程序",
    "send entries again": "补发记录",
    "fetch records of the audit log": "调取审计记录",
    "say how far an event is handled": "告知事件处置状态",
    "try another compound file": "试用新的小区配置文件",
    "hand over a key set signed by a root": "下发由根密钥签名的密钥集",
    "the signer's key file": "签名者的密钥文件",
    "compound's file: the gateway and its broker": "小区配置文件：网关及其消息代理",
    "another address of the broker: mqtts://host:8883": "消息代理的其他地址：mqtts://主机:8883",
    "who signed the broker's certificate; default: as in the compound's file": (
        "签发消息代理证书的 CA；默认同小区配置文件"
    ),
    "your certificate; default: as in the compound's file": "您的证书；默认同小区配置文件",
    "and its key; default: as in the compound's file": "该证书的私钥；默认同小区配置文件",
    "seconds to wait for status and answer; default 30": "等待状态和应答的秒数；默认 30",
    "seconds; default: the door's own time": "秒数；默认为该门自己的开锁时间",
    "until it is locked": "保持开锁，直到锁门",
    "device/point": "设备/点位",
    "seconds; default: until it is switched off": "秒数；默认直到关闭",
    "stands in the audit record": "写入审计记录",
    "epoch/lane/sequence": "纪元/通道/序号",
    "seconds to reach the centre; default 300": "须在此秒数内连上中心；默认 300",
    # keys
    "make a key: FILE, and its public half as FILE with the ending .pub": (
        "生成密钥：私钥写入 file，公钥写入同名的 .pub 文件"
    ),
    "sign a key set with a root; it replaces the one before whole": "用根密钥签发密钥集；完整取代前一个",
    "say what stands in a key, its public half or a key set": "显示私钥、公钥或密钥集的内容",
    "without a passphrase: for a key that a machine uses": "不设口令：供机器使用的密钥",
    "a root's key file": "根密钥文件",
    "higher than that of the set before": "须大于前一个密钥集的版本",
    "the file to write": "要写入的文件",
    "a key that holds from now on; roles: {}": "此后有效的密钥；角色：{}",
    "prove it by this root's public half": "用此根公钥验证",
    # simulate, demo, fleet, centre
    "the compound's TOML file": "小区配置文件（TOML）",
    "a scenario's file, or the name of one that ships with Gatehouse": "场景文件，或自带场景的名称",
    "stay up after the last step, until Ctrl-C": "最后一步之后保持运行，按 Ctrl-C 结束",
    "how many; default {}": "网关数量；默认 {}",
    "of ordinary work before the storm; default {}": "重连风暴之前正常工作的秒数；默认 {}",
    "default {}": "默认 {}",
    "mqtt://host:port or mqtts://host:port": "mqtt://主机:端口 或 mqtts://主机:端口",
    "for a broker that asks for one; with --key-file": "消息代理要求客户端证书时使用；与 --key-file 一起",
    "only this part of the city: 610200/610202": "只看此区域，如 610200/610202",
    "answer no receipts: another centre is of record": "不发回执：由另一个中心正式接收",
    "keep everything there; without it, in memory": "将全部内容保存在此；不填则只在内存中",
    "so many processes share the events; needs --database and MQTT 5": (
        "由若干进程分担事件；须用 --database 和 MQTT 5"
    ),
    "an operator's key: receipts are signed; with --keys": "操作员密钥：用于签名回执；与 --keys 一起",
    "the key set that names it, signed by a root": "包含该密钥、由根密钥签名的密钥集",
    "tell gateways that their alarms were received": "告知网关其报警已接收",
    "print what arrives instead of the view of the district": "逐行打印收到的内容，不显示区县视图",
}  # fmt: skip
HELP: Final = Phrasebook(_SENTENCES)
