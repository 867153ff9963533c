"""A name server on loopback that says what a test tells it, and fails as told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = dict[tuple[str, str], list[str]]


class Stub:
    """`records[name, type]` are lines of a zone; `faults[name]` is one of: servfail, refused, drop, truncate, garbage, lame."""

    def __init__(self) -> None:
        self.records: Records = {}
        self.faults: dict[str, str] = {}
        self.secure = False  # sets the AD bit, as a validating resolver does
        self.asked: list[tuple[str, str]] = []
        self.address = ("127.0.0.1", 0)

    def add(self, name: str, kind: str, *data: str) -> None:
        """One record, or several of a kind."""
        self.records[name, kind] = list(data)

    def answer(self, wire: bytes, tcp: bool) -> bytes | None:
        """What goes back; None: nothing."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        fault = self.faults.get(f"{kind} {name}", self.faults.get(name, ""))
        if fault == "drop":
            return None
        if fault == "garbage":
            return wire[:2] + b"\xff" * 40
        response = dns.message.make_response(query, recursion_available=True)
        if fault in ("servfail", "refused"):
            response.set_rcode(dns.rcode.from_text(fault.upper()))
        elif fault == "truncate" and not tcp:
            response.flags |= dns.flags.TC
        elif fault != "lame":
            self._fill(response, name, kind)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        if self.secure:
            response.flags |= dns.flags.AD
        for _ in range(10):
            found = self.records.get((name, kind)) or self.records.get((name, "CNAME"))
            if not found:
                break
            type_ = kind if (name, kind) in self.records else "CNAME"
            response.answer.append(dns.rrset.from_text(name + ".", 300, "IN", type_, *found))
            if type_ == kind:
                return
            name = found[0].rstrip(".")
        if not any(known == name or known.endswith("." + name) for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        apex = name.partition(".")[2] + "."
        response.authority.append(dns.rrset.from_text(apex, 300, "IN", "SOA", f"ns.{apex} x.{apex} 1 2 3 4 60"))


@contextmanager
def running() -> Iterator[Stub]:
    """The server, on UDP and TCP of one port."""
    stub = Stub()

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, socket_ = self.request
            if (back := stub.answer(wire, False)) is not None:
                socket_.sendto(back, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            wire = self.rfile.read(int.from_bytes(self.rfile.read(2), "big"))
            if wire and (back := stub.answer(wire, True)) is not None:
                self.wfile.write(len(back).to_bytes(2, "big") + back)

    servers: list[Any] = [socketserver.ThreadingUDPServer(stub.address, Udp)]
    stub.address = servers[0].server_address
    servers.append(socketserver.ThreadingTCPServer(stub.address, Tcp))
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield stub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
