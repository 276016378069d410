"""Users of the console: a file in the spool, passwords as Argon2 hashes, and the token that makes the first user."""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from plugin.config.service_settings import Role
from plugin.errors import PluginError, SpoolError
from plugin.files import PART, durable_part, locked, make_private_folder, publish, write_private_json

ACCOUNTS_FOLDER: Final = "console"
"""In the spool: users, the key that signs sessions, and, before the first user, the token."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""Each may also do what those before it may."""

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 200

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_HASHES_AT_A_TIME: Final = threading.BoundedSemaphore(2)
"""Each takes 19 MiB and a core: a flood of passwords leaves the machine to the jobs."""


class AccountError(PluginError):
    """A user cannot be changed in this way; the message says why."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A user; ``stamp`` changes with role and password, which ends the sessions that were begun before."""

    name: str
    role: Role
    password_hash: str
    stamp: str

    def may(self, role: Role) -> bool:
        """Say whether the user has a role, or one that may do more."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Accounts:
    """The users of a spool, which the consoles of several hosts share."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / ACCOUNTS_FOLDER
        make_private_folder(self._folder)
        self._file = self._folder / "users.json"
        self._read: tuple[tuple[int, int], dict[str, User]] | None = None

    @property
    def token_file(self) -> Path:
        """Where the token is, until the first user is made with it."""
        return self._folder / "first-administrator-token"

    def secret(self) -> str:
        """Return the key that signs sessions; made once."""
        path = self._folder / "secret.json"
        write_private_json(secrets.token_urlsafe(48), path, replacing=False)
        return str(json.loads(path.read_text(encoding="utf-8")))

    def offer_token(self) -> bool:
        """Write the token for the first administrator if there is no user, and say whether there is one to use."""
        with self._locked():
            if self.users():
                self.token_file.unlink(missing_ok=True)
                return False
            if not self.token_file.exists():
                part = self.token_file.with_name(PART + self.token_file.name)
                with durable_part(part, [f"{secrets.token_urlsafe(24)}\n".encode()]):
                    publish(part, self.token_file)
            return True

    def users(self) -> Mapping[str, User]:
        """Return the users by name.

        Raises
        ------
        SpoolError
            The file cannot be read; nobody is let in by a damaged one.
        """
        try:
            found = self._file.stat()
            if self._read is None or self._read[0] != (found.st_mtime_ns, found.st_ino):
                values = json.loads(self._file.read_text(encoding="utf-8"))
                self._read = (found.st_mtime_ns, found.st_ino), {one["name"]: User(**one) for one in values}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SpoolError(f"{self._file}: not a list of users; restore it, or remove it to begin again") from error
        return self._read[1]

    def user(self, name: str, stamp: str) -> User | None:
        """Return the user of a session, unless role or password were changed since it was begun."""
        found = self.users().get(name)
        return found if found is not None and hmac.compare_digest(found.stamp, stamp) else None

    def sign_in(self, name: str, password: str) -> User | None:
        """Return the user with this name and password; a name that is unknown takes as long to say so."""
        found = self.users().get(name)
        right = _fits(found.password_hash if found else _hash_of_nobody(), password)
        return found if right else None

    def redeem(self, token: str, name: str, password: str) -> User:
        """Make the first administrator with the token, which is then used up.

        Raises
        ------
        AccountError
            The token is not the right one, or the name or the password cannot be used.
        """
        with self._locked():
            right = self.token_file.read_text(encoding="utf-8").strip() if self.token_file.exists() else ""
            if self.users() or not right or not hmac.compare_digest(right.encode(), token.strip().encode()):
                raise AccountError(f"this is not the token in {self.token_file.name}; read it from that file")
            user = _new_user(name, "administrator", password)
            self._write({name: user})
            self.token_file.unlink(missing_ok=True)
        return user

    def add(self, name: str, role: Role, password: str) -> None:
        """Add a user; errors as of ``redeem``, and if there is one of this name."""

        def change(users: dict[str, User]) -> None:
            if name in users:
                raise AccountError(f"there is a user {name} already; choose another name")
            users[name] = _new_user(name, role, password)

        self._change(change)

    def set_role(self, name: str, role: Role) -> None:
        """Give a user another role; there stays an administrator."""
        self._change(lambda users: users.update({name: replace(_of(users, name), role=role, stamp=_stamp())}))

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password."""
        self._change(lambda users: users.update({name: _new_user(name, _of(users, name).role, password)}))

    def remove(self, name: str) -> None:
        """Remove a user; there stays an administrator."""
        self._change(lambda users: users.pop(_of(users, name).name))

    def _change(self, change: Callable[[dict[str, User]], object]) -> None:
        with self._locked():
            users = dict(self.users())
            change(users)
            if not any(user.role == "administrator" for user in users.values()):
                raise AccountError("one administrator has to stay; make another user administrator first")
            self._write(users)

    def _write(self, users: Mapping[str, User]) -> None:
        write_private_json([asdict(user) for user in users.values()], self._file)
        self._read = None

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._folder / ".lock")


def _of(users: Mapping[str, User], name: str) -> User:
    if name not in users:
        raise AccountError(f"there is no user {name}; it may have been removed meanwhile")
    return users[name]


def _new_user(name: str, role: Role, password: str) -> User:
    if not _NAME.fullmatch(name):
        raise AccountError("the name has to be of letters, digits and . _ @ -, at most 64 of them")
    if role not in ROLES:
        raise AccountError("choose one of the roles viewer, operator and administrator")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or name.casefold() in password.casefold():
        raise AccountError(
            f"the password needs at least {SHORTEST_PASSWORD} characters, and not the user's name among them"
        )
    return User(name=name, role=role, password_hash=_hash(password), stamp=_stamp())


def _hash(password: str) -> str:
    with _HASHES_AT_A_TIME:
        return _HASHER.hash(password)


def _fits(password_hash: str, password: str) -> bool:
    with _HASHES_AT_A_TIME:
        try:
            return len(password) <= LONGEST_PASSWORD and _HASHER.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


@cache
def _hash_of_nobody() -> str:
    return _hash(secrets.token_urlsafe(16))


def _stamp() -> str:
    return secrets.token_urlsafe(12)
