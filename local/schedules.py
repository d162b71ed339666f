"""Functions on a schedule, as EventBridge runs them."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.functions import run_function
from local.intrinsics import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.template import Function, Schedule


def scheduled_event(schedule: Schedule) -> Any:
    """What the function is given: the schedule's own input, or EventBridge's event."""
    if schedule.input is not None:
        return json.loads(schedule.input)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{schedule.name}"],
        "detail": {},
    }


class Scheduler:
    """Runs each schedule's function in a thread of its own, first after one full period.

    `second` is the length of a second, for tests that do not want to wait a minute.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        functions: Mapping[str, Function],
        second: float = 1.0,
    ) -> None:
        self._functions = functions
        self._second = second
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=one.name, daemon=True) for one in schedules
        ]

    def start(self) -> None:
        """Begin the first period of every schedule."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Start no more runs; wait at most `timeout` seconds for those under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, schedule: Schedule) -> None:
        function = self._functions[schedule.function]
        while not self._stop.wait(schedule.seconds * self._second):
            # run_function logs what the function raises; the next period is a new run.
            with suppress(Exception):
                run_function(function, scheduled_event(schedule))
