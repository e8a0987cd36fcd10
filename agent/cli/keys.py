"""`gatehouse keys …`: the ceremony of the offline roots, and of the keys that they vouch for."""

import argparse
import getpass
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from agent.cli.command import private_key
from agent.cli.family import family
from agent.commands.signing import key_set, new_key, public_path
from agent.commands.trust import read_public
from agent.contract.commands import Key, KeySet, Role
from agent.contract.jws import FlawError, Token, Typ, decode, kid_of, x_of
from agent.words import Lang, Words
from drivers.base import ConfigError


def add_arguments(keys: argparse.ArgumentParser, _: Path, default_lang: Lang) -> None:
    """The subcommands new, sign and show."""
    command = family(keys, "new|sign|show", default_lang, None)

    new = command("new", _new, "make a key: FILE, and its public half as FILE with the ending .pub")
    new.add_argument("file", type=Path)
    new.add_argument("--plain", action="store_true", help="without a passphrase: for a key that a machine uses")
    sign = command("sign", _sign, "sign a key set with a root; it replaces the one before whole")
    sign.add_argument("--root", type=Path, required=True, help="a root's key file")
    sign.add_argument("--version", type=int, required=True, help="higher than that of the set before")
    sign.add_argument("--out", type=Path, required=True, help="the file to write")
    sign.add_argument(
        "--key", action="append", default=[], metavar="NAME=FILE.pub=ROLE,ROLE",
        help=f"a key that holds from now on; roles: {', '.join(Role)}",
    )  # fmt: skip
    show = command("show", _show, "say what stands in a key, its public half or a key set")
    show.add_argument("file", type=Path)
    show.add_argument("--root", type=Path, action="append", default=[], help="prove it by this root's public half")


def _new(options: argparse.Namespace) -> int:
    secret = b"" if options.plain else _passphrase(options.lang)
    public = new_key(options.file, secret).public_key()
    print(Words(f"{options.file}: keep it secret, and a copy elsewhere", f"{options.file}：请妥善保密，并异地备份")
          .to(options.lang))  # fmt: skip
    print(f"{public_path(options.file)}: kid {kid_of(public)}")
    return 0


def _passphrase(lang: Lang) -> bytes:
    """Raises: ConfigError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip().encode()
    secret = getpass.getpass(Words("passphrase: ", "口令：").to(lang))
    if not secret or secret != getpass.getpass(Words("again: ", "再次输入：").to(lang)):
        raise ConfigError("the passphrases differ, or are empty", hint="type the same twice, or use --plain")
    return secret.encode()


def _sign(options: argparse.Namespace) -> int:
    token = key_set(private_key(options.root, options.lang), options.version, [_key(text) for text in options.key])
    try:
        with os.fdopen(os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(token)
    except OSError as err:
        raise ConfigError(f"{options.out}: {err.strerror}", hint="name a new file in a folder that is there") from err
    _print_set(token, options.lang)
    return 0


def _key(text: str) -> Key:
    """Raises: ConfigError."""
    name, _, rest = text.partition("=")
    path, _, roles = rest.partition("=")
    try:
        return Key(x=x_of(read_public(Path(path))), name=name, roles=tuple(Role(role) for role in roles.split(",")))
    except (ValueError, ValidationError) as err:
        hint = f"write NAME=FILE.pub=ROLE,ROLE with roles of: {', '.join(Role)}"
        raise ConfigError(f"--key {text}: is no key with its roles", hint=hint) from err


def _show(options: argparse.Namespace) -> int:
    try:
        text = options.file.read_bytes().strip()
    except OSError as err:
        raise ConfigError(f"{options.file}: {err.strerror}", hint="name a file that you may read") from err
    if text.startswith(b"-----"):
        public = (
            read_public(options.file) if b"PUBLIC" in text else private_key(options.file, options.lang).public_key()
        )
        print(f"kid {kid_of(public)}")
        print(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), end="")
        return 0
    roots = {kid_of(public): public for public in map(read_public, options.root)}
    try:
        token = Token.parse(text)
        if roots:
            token.verify(roots.get(token.kid) or next(iter(roots.values())), Typ.KEYS)
        _print_set(text, options.lang)
    except (FlawError, ValidationError) as err:
        raise ConfigError(f"{options.file}: {err}", hint="it is no key set, or not of that root") from err
    said = Words("the root has signed it", "已由该根密钥签名") if roots else (
        Words("not proven: name the root with --root", "未验证：请用 --root 指定根公钥"))  # fmt: skip
    print(said.to(options.lang))
    return 0


def _print_set(text: bytes, lang: Lang) -> None:
    token = Token.parse(text)
    keys = KeySet.model_validate_json(token.payload)
    print(Words(f"version {keys.version}, root {token.kid}", f"第 {keys.version} 版，根密钥 {token.kid}").to(lang))
    for key in keys.keys:
        public = _public(key)
        print(f"  {public}  {key.name}: {', '.join(key.roles)}")


def _public(key: Key) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return kid_of(Ed25519PublicKey.from_public_bytes(decode(key.x.encode())))
