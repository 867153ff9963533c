"""What the webmail needs from the rest of the house; the assembly gives it."""

from __future__ import annotations

from typing import Protocol

from pymaild import flow
from pymaild.accounts.websessions import WebSessions
from pymaild.config import Config


class Directory(flow.Directory, Protocol):
    """Who lives here, and what they may change about themselves."""

    def addresses(self, account: str) -> list[str]:
        """The addresses an account may write as, its own first."""

    def change_password(self, account: str, old: str, new: str) -> None:
        """Raises MailError 5.7.8 when `old` is wrong, 5.7.0 when `new` is too weak."""


class Services(Protocol):
    """The parts that pages work with."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def directory(self) -> Directory:
        """Accounts and addresses."""

    @property
    def stores(self) -> flow.Stores:
        """The mail of an account."""

    @property
    def delivery(self) -> flow.Delivery:
        """Where what is sent goes."""

    @property
    def sessions(self) -> WebSessions:
        """Who is logged in."""
