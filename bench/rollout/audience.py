"""The crowd's process, seen from the benchmark: what has been counted so far, and in the end."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from nodes import Failure
from timeline import UNEXPLAINED, Timeline

CROWD = Path(__file__).with_name("crowd.py")
END_S = 180
# of the failures that are kept one by one; all of them are counted
EXAMPLES = 200


class Audience:
    def __init__(
        self,
        ports: dict[str, int],
        per_s: float,
        is_hashed: bool,
        lazy_within_s: float,
        timeline: Timeline,
        record: Path | None = None,
    ) -> None:
        """Where `record` names a file, every failure is written to it as soon as it is seen."""
        plan = {
            "ports": ports,
            "per_s": per_s,
            "is_hashed": is_hashed,
            "lazy_within_s": lazy_within_s,
        }
        self._timeline = timeline
        self._record = record
        self._lock = threading.Lock()
        self._counts: dict[str, dict] = {}
        self._figures: dict[str, dict] = {}
        self._events: list[dict] = []
        self._process = subprocess.Popen(
            [sys.executable, "-B", str(CROWD), json.dumps(plan)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            kind = event.pop("event")
            with self._lock:
                if kind == "counts":
                    self._counts = event
                elif kind == "end":
                    self._figures[event.pop("via")] = event
                else:
                    self._note({"event": kind, **event})

    def _note(self, event: dict) -> None:
        self._events.append(event)
        if self._record is not None:
            with open(self._record, "a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")

    def counts(self) -> dict[str, dict]:
        """By balancer; empty before the first report."""
        with self._lock:
            return {via: dict(counts) for via, counts in self._counts.items()}

    def seen(self) -> list[dict]:
        """Every failure, and wrong or late answer so far."""
        with self._lock:
            return list(self._events)

    def check(self) -> None:
        if self._process.poll() is not None:
            raise Failure(f"the crowd ended with {self._process.returncode}")

    def finish(self) -> dict[str, dict]:
        """Lets nobody in any more, waits for the last visit, and returns the figures by balancer,
        each with its failures by explanation and by cause."""
        self.check()
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            raise Failure("the crowd does not end") from None
        self._reader.join()
        if status != 0:
            raise Failure(f"the crowd ended with {status}")
        for via, figures in self._figures.items():
            events = [event for event in self._events if event["via"] == via]
            lost = [event for event in events if event["event"] != "late"]
            told = Counter(self._timeline.explain(event) for event in lost)
            figures["explained"] = dict(told.most_common())
            causes = [self._timeline.cause(event) for event in lost]
            figures["causes"] = dict(Counter(causes).most_common())
            # what nobody can explain is kept first
            known = [cause != UNEXPLAINED for cause in causes]
            order = sorted(range(len(lost)), key=known.__getitem__)
            figures["examples"] = [
                {**lost[place], "cause": causes[place]} for place in order[:EXAMPLES]
            ]
            figures["late_examples"] = [e for e in events if e["event"] == "late"][:EXAMPLES]
        return self._figures

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
