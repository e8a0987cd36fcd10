"""A centre's keys, made on the spot and thrown away: two roots, one operator's key, and what they sign."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.commands.signing import key, key_set, order
from agent.commands.trust import Trust
from agent.contract.commands import Role, Verb
from agent.contract.jws import Typ, sign
from agent.events import JsonValue

EVERYTHING = tuple(Role)


class Office:
    """`version` is that of the key set it holds out to gateways, in which its operator may do everything."""

    def __init__(self, version: int = 1) -> None:
        self.version = version
        self.roots = (Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())
        self.operator = Ed25519PrivateKey.generate()

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

    def receipt(self, document: bytes) -> bytes:
        return sign(self.operator, Typ.RECEIPT, document)

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
