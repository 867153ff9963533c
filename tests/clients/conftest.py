"""One server for all tests of real programs; each test uses mailboxes or subjects of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.server import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`pymaild serve` with four accounts; its log must be clean when it has ended."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running
