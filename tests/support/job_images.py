"""Jobs as they stand in the table and in its stream, and what they add to usage, computed the plain way."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support.calls import NOON, Item, _plain, _typed
from tollgate.core import ids

ENDS = ("completed", "failed", "cancelled")
_SPLIT = {"completed": "js", "failed": "jf", "cancelled": "jc"}


def made(at: datetime = NOON, **fields: Any) -> Item:
    """A job that was made at ``at`` and is pending."""
    job_id = ids.new_call_id(int(at.timestamp() * 1000))
    team = fields.get("team_uid", "t1")
    values = {
        "PK": f"JOB#{job_id}",
        "SK": "#",
        "GSI1PK": f"JOBS#{team}",
        "GSI1SK": job_id,
        "kind": "job",
        "job_id": job_id,
        "team_uid": team,
        "team_id": f"team-{team}",
        "organization_id": "org-o1",
        "organization_uid": "o1",
        "user_id": "whoever",
        "job_type": "resume",
        "status": "pending",
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "version": 1,
    } | fields
    return {name: _typed(value) for name, value in values.items() if value is not None}


def ended(job: Item, status: str, credits: Decimal | int = 0, unbilled: Decimal | int = 0) -> Item:
    """The same job at its end."""
    values = {"status": status, "credits_charged": credits, "unbilled_cost_usd": unbilled, "version": 3}
    return job | {name: _typed(value) for name, value in values.items()}


def ending(job: Item, chance: random.Random) -> Item:
    """The job at some end, charged or not."""
    status = chance.choice(ENDS)
    charged = status == "completed" and chance.random() < 0.7
    amount = Decimal(chance.randint(1, 10**9)).scaleb(-12)
    return ended(job, status, chance.randint(1, 50) if charged else 0, 0 if charged else amount)


def expected_buckets(jobs: Iterable[Item]) -> dict[tuple[str, str, str], dict[str, Decimal]]:
    """Figures as ``calls.expected_buckets`` has them, of jobs as they stand at last."""
    sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for item in jobs:
        job = {name: _plain.deserialize(value) for name, value in item.items()}
        owner, at = job["team_uid"], job["created_at"]
        wheres = [f"OWNER#{owner}", *([f"KEY#{job['key_id']}"] if "key_id" in job else [])]
        buckets = [(where, f"{at[:10]}#{owner}", f"None|None|{job['job_type']}") for where in wheres]
        for bucket in [*buckets, (f"OWNER#{owner}", f"{at[:13]}#{owner}", "")]:
            for name, value in _figures(job).items():
                sums[bucket][name] += value
    return {bucket: {name: value for name, value in own.items() if value} for bucket, own in sums.items()}


def _figures(job: dict[str, Any]) -> dict[str, Decimal]:
    figures = {"jb": Decimal(1)}
    if job["status"] in _SPLIT:
        figures |= {_SPLIT[job["status"]]: Decimal(1), "cr": job["credits_charged"], "ub": job["unbilled_cost_usd"]}
    return figures
