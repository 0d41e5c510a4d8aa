"""A kernel in miniature: Server + Pod, told what to do by lines of JSON on stdin."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import psutil

from dtale_magics import listener
from dtale_magics.peers import Identity
from dtale_magics.server import Server
from dtale_magics.takeover import Pod, Rung


class Session:
    def __init__(self, owner: str, spare_ports: range) -> None:
        self.owner = owner
        self.spare_ports = spare_ports
        self.lost_ports: list[int] = []
        self.pod: Pod

    def identity(self) -> Identity:
        since = self.pod.since
        started = psutil.Process().create_time()
        return Identity(self.owner, self.owner, os.getpid(), started, tuple(since), since=since)

    def lost(self, port: int, to: object) -> None:
        self.lost_ports.append(port)
        if self.spare_ports and not self.pod.since:
            self.pod.hold(listener.reserve(self.spare_ports))

    def changed(self) -> None:
        pass


def main() -> None:
    owner, first = sys.argv[1], int(sys.argv[2])

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            time.sleep(0.3)
        body = owner.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    session = Session(owner, range(first, first + 20) if first else range(0))
    server = Server(app)
    session.pod = pod = Pod(session, server, owner)
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        started = time.monotonic()
        answer: dict[str, object] = {}
        if command["do"] == "take":
            rungs = Rung(command["rungs"])
            outcome = pod.take(
                command["port"], rungs=rungs, deadline_seconds=command.get("deadline", 5.0)
            )
            answer = {"outcome": type(outcome).__name__, "text": str(outcome)}
        elif command["do"] == "state":
            process = psutil.Process()
            answer = {
                "ports": list(pod.since),
                "lost": session.lost_ports,
                "fds": process.num_fds(),
                "threads": threading.active_count(),
            }
        elif command["do"] == "release":
            answer = {"released": pod.release(command["port"], tell=False)}
        elif command["do"] == "give_back":
            answer = {"to": str(pod.give_back(command["port"]))}
        answer |= {"started": started, "ended": time.monotonic()}
        print(json.dumps(answer), flush=True)


main()
