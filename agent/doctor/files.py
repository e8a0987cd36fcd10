"""Files and folders: keys, card list, models, storage. Looks only; the one file it writes it removes again."""

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from agent.commands.trust import read_public
from agent.contract.jws import kid_of
from agent.credentials import CardList, key_path
from agent.doctor.chinese import both
from agent.doctor.findings import Finding, bad, ok, warn
from agent.settings import OsdpBus, Runtime, Settings
from agent.snapshot_store import KEY_FILE
from agent.words import Words, why
from drivers.base import ConfigError

_KEYS = Words("keys", "密钥")
_ROOTS = Words("root key of the centre", "中心根密钥")
_CARDS = Words("card list", "通行名单")
_MODEL = Words("detection model", "检测模型")
_CAMERAS = Words("cameras", "摄像机")
_MOST_PIXELS = 14_000_000
"""Six cameras of 2304x1296 end the camera process (467 MB), four do not (375 MB)."""
_PICTURES = Words("pictures", "抓拍图片")
_STORAGE = Words("storage", "存储")
_USER = "gatehouse"
_MB = 1 << 20
_RUNTIMES = {Runtime.LITERT: "ai_edge_litert", Runtime.TFLITE: "tflite_runtime"}


def keys(settings: Settings) -> Iterator[Finding]:
    """Every file that holds a secret, and what stands in the readers' keys."""
    for bus in settings.devices:
        for reader in bus.readers if isinstance(bus, OsdpBus) else ():
            if reader.key_file is not None:
                area = Words(f"key of {reader.id}", f"{reader.id} 的密钥")
                found = secret(reader.key_file, area) or _reader_key(reader.key_file, area)
                yield found or ok(area, f"{reader.key_file} is well", f"{reader.key_file} 正常")
    named = [settings.centre.key_file, settings.centre.password_file]
    named += [Path(camera.password_file) for camera in settings.cameras if camera.password_file]
    for path in filter(None, named):
        yield secret(path, _KEYS) or ok(_KEYS, f"{path} is well", f"{path} 正常")


def roots(settings: Settings) -> Iterator[Finding]:
    """The public halves that the centre's keys are proven by; without them the agent does not start."""
    for path in settings.commands.roots:
        try:
            kid = kid_of(read_public(path))
        except ConfigError as err:
            yield bad(_ROOTS, both(str(err)), both(err.hint))
        else:
            yield ok(_ROOTS, f"{path} is {kid}", f"{path} 为 {kid}")


def secret(path: Path, area: Words) -> Finding | None:
    """What is wrong with a file that nobody but the service may read; None when all is well."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return bad(
            area,
            Words(f"{path} is not there", f"{path} 不存在"),
            Words(f"put it there: install -o {_USER} -g {_USER} -m 0600 FILE {path}",
                  f"放置该文件：install -o {_USER} -g {_USER} -m 0600 文件 {path}"),
        )  # fmt: skip
    except OSError as err:
        return _unreadable(path, area, err)
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return bad(area, Words(f"{path} is no file", f"{path} 不是文件"),
                   Words("name the file itself", "请指定文件本身"))  # fmt: skip
    if mode & 0o077:
        return bad(
            area,
            Words(f"{path} may be read by others (mode {mode:04o})", f"{path} 可被其他用户读取（权限 {mode:04o}）"),
            Words(f"chmod 0600 {path}", f"chmod 0600 {path}"),
        )
    if status.st_uid != service_user():
        return bad(
            area,
            Words(f"{path} belongs to another user (id {status.st_uid})", f"{path} 属于其他用户（id {status.st_uid}）"),
            Words(f"chown {_USER}: {path}", f"chown {_USER}: {path}"),
        )
    return None


def service_user() -> int:
    """Whose files the service reads: seen by root, the user gatehouse where there is one."""
    if os.geteuid() != 0:
        return os.geteuid()
    return next((user.pw_uid for user in pwd.getpwall() if user.pw_name == _USER), 0)


def _reader_key(path: Path, area: Words) -> Finding | None:
    try:
        text = path.read_text("ascii").strip()
    except OSError as err:
        return _unreadable(path, area, err)
    except UnicodeDecodeError:
        text = ""
    if len(text) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in text):
        return None
    return bad(
        area,
        Words(f"{path} does not hold 32 hexadecimal digits", f"{path} 的内容不是 32 位十六进制数"),
        Words("write the reader's key (SCBK) as 32 hexadecimal digits and nothing else",
              "请将读卡器密钥（SCBK）写成 32 位十六进制数，不含其他内容"),
    )  # fmt: skip


def _unreadable(path: Path, area: Words, err: OSError) -> Finding:
    return bad(
        area,
        Words(f"{path} cannot be read: {why(err).en}", f"无法读取 {path}：{why(err).zh}"),
        Words(
            f"run the doctor as that user: sudo -u {_USER} gatehouse doctor",
            f"请以服务用户运行：sudo -u {_USER} gatehouse doctor",
        ),
    )


def cards(settings: Settings) -> Iterator[Finding]:
    path = settings.access.credentials_file
    if path is None:
        if settings.doors:
            yield warn(
                _CARDS,
                Words("none is named: every card is denied", "未指定名单：所有卡都会被拒绝"),
                Words("set access.credentials_file", "请填写 access.credentials_file"),
            )
        return
    try:
        count = len(CardList.load(path))
    except ConfigError as err:
        yield bad(_CARDS, both(str(err)), both(err.hint))
        return
    yield secret(key_path(path), _CARDS) or ok(
        _CARDS, f"{count} card{'' if count == 1 else 's'} in {path}", f"{path} 中有 {count} 张卡"
    )


def model(settings: Settings) -> Iterator[Finding]:
    """The model named in the settings, its file, and a runtime that can run it."""
    if not settings.cameras:
        return
    from models import card

    name, chosen = settings.vision.chosen, settings.vision.runtime
    try:
        model = card.find(name, settings.storage.models_folder)
        path = card.verify(model.card, model.folder)
    except ConfigError as err:
        yield bad(_MODEL, both(str(err)), both(err.hint))
        return
    there = [runtime for runtime, package in _RUNTIMES.items() if find_spec(package) is not None]
    if not there or (chosen is not Runtime.AUTO and chosen not in there):
        yield bad(
            _MODEL,
            Words(f"the runtime {chosen} is not installed", f"未安装推理引擎 {chosen}"),
            Words("install Gatehouse again: systemd/install.sh", "请重新安装：systemd/install.sh"),
        )
        return
    used = there[0] if chosen is Runtime.AUTO else chosen
    yield from _never_found(settings, set(model.card.labels.values()))
    yield from _too_large(settings)
    yield from _faces(settings)
    yield ok(_MODEL, f"{path.name} is the file of its card; runtime {used}", f"{path.name} 校验一致；推理引擎 {used}")


def _never_found(settings: Settings, words: Collection[str]) -> Iterator[Finding]:
    """What a zone or a line waits for and the model has no word for: it would be silent for ever."""
    for camera in settings.cameras:
        drawn = [*((zone.id, zone.wanted) for zone in camera.zones), *((line.id, line.labels) for line in camera.lines)]
        for name, wanted in drawn:
            missing = [label.value for label in wanted if label.value not in words]
            if missing:
                what = f"{camera.id}/{name}"
                yield warn(
                    _MODEL,
                    Words(
                        f"{what} waits for {', '.join(missing)}, which this model does not find",
                        f"{what} 要检测 {'、'.join(missing)}，而该模型不能检测",
                    ),
                    Words("choose another model, or other labels there", "请更换模型，或修改该处的 labels"),
                )


def _too_large(settings: Settings) -> Iterator[Finding]:
    """Pictures that together do not fit into the camera process: it would end itself again and again."""
    pixels = sum(camera.picture.width * camera.picture.height for camera in settings.cameras)
    if pixels > _MOST_PIXELS:
        millions, most = f"{pixels / 1e6:.1f}", f"{_MOST_PIXELS / 1e6:g}"
        yield warn(
            _CAMERAS,
            Words(
                f"the pictures of all cameras have {millions} million pixels together, more than {most}",
                f"所有摄像机的画面合计 {millions} 百万像素，超过 {most} 百万",
            ),
            Words("give cameras a smaller sub-stream", "请为摄像机选用更小的子码流"),
        )


def _faces(settings: Settings) -> Iterator[Finding]:
    """Where pictures are taken: the model that finds faces, and the key that seals them once there is one."""
    from models import card

    if not any(camera.snapshots for camera in settings.cameras):
        return
    key = settings.privacy.key_file or settings.storage.folder / KEY_FILE
    if key.exists() and (found := secret(key, _PICTURES)):
        yield found
    model = card.find(card.FACES, settings.storage.models_folder)
    try:
        card.verify(model.card, model.folder)
    except ConfigError as err:
        yield warn(
            _PICTURES,
            Words(f"people are blurred whole on pictures: {err}", f"图片上整个人体都会被模糊：{both(str(err)).zh}"),
            both(err.hint),
        )


def storage(settings: Settings) -> Iterator[Finding]:
    folder, wanted_mb = settings.storage.folder, settings.storage.max_mb
    if not folder.is_dir():
        yield warn(
            _STORAGE,
            Words(f"{folder} is not there yet", f"{folder} 尚不存在"),
            Words("it is made when the service starts", "服务启动时会自动创建"),
        )
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"gatehouse")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as err:
        yield bad(
            _STORAGE,
            Words(f"{folder} cannot be written: {why(err).en}", f"无法写入 {folder}：{why(err).zh}"),
            Words(f"chown -R {_USER}: {folder}, and see: df -h {folder}",
                  f"chown -R {_USER}: {folder}，并查看：df -h {folder}"),
        )  # fmt: skip
        return
    if strange := _of_others(folder):
        count, first = len(strange), strange[0]
        yield bad(
            _STORAGE,
            Words(f"{folder} holds files that are not its user's ({count}), the first: {first}",
                  f"{folder} 中有文件不属于该目录的用户（{count} 个），第一个：{first}"),
            Words(f"chown -R {_USER}: {folder}", f"chown -R {_USER}: {folder}"),
        )  # fmt: skip
        return
    used = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    room_mb = (shutil.disk_usage(folder).free + used) // _MB
    if room_mb < wanted_mb:
        yield bad(
            _STORAGE,
            Words(f"{folder} has room for {room_mb} MB, storage.max_mb is {wanted_mb}",
                  f"{folder} 可用 {room_mb} MB，而 storage.max_mb 为 {wanted_mb}"),
            Words("make room on the disk, or lower storage.max_mb", "请清理磁盘，或减小 storage.max_mb"),
        )  # fmt: skip
        return
    yield ok(_STORAGE, f"{folder} can be written, {room_mb} MB free for at most {wanted_mb}",
             f"{folder} 可写，可用 {room_mb} MB，上限 {wanted_mb} MB")  # fmt: skip


def _of_others(folder: Path) -> list[Path]:
    """What the folder's user may be unable to open, as root leaves it behind; root opens everything."""
    owner, found = folder.stat().st_uid, []
    for path in sorted(folder.rglob("*")) if owner else ():
        with suppress(FileNotFoundError):  # gone meanwhile
            if path.lstat().st_uid != owner:
                found.append(path)
    return found
