"""A centre's keys: those of files, or two roots and one operator's key made on the spot and thrown away."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

from agent.commands.signing import key, key_set, order, read_private
from agent.commands.trust import Trust
from agent.contract.commands import KeySet, Role, Verb
from agent.contract.jws import FlawError, Token, Typ, sign
from agent.events import JsonValue
from drivers.base import ConfigError

EVERYTHING = tuple(Role)


class Desk:
    """What a centre signs with: an operator's key, and the key set, signed by a root, that names it to gateways."""

    def __init__(self, operator: Ed25519PrivateKey, token: bytes, version: int) -> None:
        self.operator = operator
        self.version = version
        self._token = token

    @classmethod
    def open(cls, key_file: Path, keys: Path) -> Self:
        """As `gatehouse keys` has made them. Raises: ConfigError."""
        try:
            token = keys.read_bytes().strip()
            version = KeySet.model_validate_json(Token.parse(token).payload).version
        except OSError as err:
            raise ConfigError(f"{keys}: {err.strerror}", hint="name the key set that a root has signed") from err
        except (FlawError, ValidationError) as err:
            raise ConfigError(f"{keys}: is no key set", hint='make one by "gatehouse keys sign"') from err
        return cls(read_private(key_file), token, version)

    def keys(self) -> bytes:
        return self._token

    def receipt(self, document: bytes) -> bytes:
        return sign(self.operator, Typ.RECEIPT, document)


class Office(Desk):
    """A desk with roots of its own; in its key set the operator may do everything."""

    def __init__(self, version: int = 1) -> None:
        self.roots = (Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
        super().__init__(Ed25519PrivateKey.generate(), b"", version)

    def pin(self, folder: Path) -> tuple[Path, ...]:
        """The public halves of the roots as files, for `commands.roots`."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = tuple(folder / f"root-{n}.pub" for n, _ in enumerate(self.roots))
        for path, root in zip(paths, self.roots, strict=True):
            path.write_bytes(root.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return paths

    def keys(self, version: int | None = None, roles: Iterable[Role] = EVERYTHING, *, root: int = 0) -> bytes:
        """A key set with the operator's key alone."""
        only = key(self.operator, "值班台 duty desk", *roles)
        return key_set(self.roots[root], version or self.version, [only])

    def trust(self, folder: Path, roles: Iterable[Role] = EVERYTHING) -> Trust:
        """As a gateway has it that got the key set."""
        trust = Trust.open(self.pin(folder), folder / "keys.jws")
        token = self.keys(1, roles)
        trust.use(token, trust.check(token))
        return trust

    def order(
        self,
        verb: Verb,
        args: Mapping[str, JsonValue],
        *,
        challenge: str | None,
        gateway: str = "gh-test01",
        order_id: str = "",
        exp: int | None = None,
    ) -> bytes:
        return order(self.operator, gateway, verb, args, challenge=challenge, order_id=order_id, exp=exp)[1]
