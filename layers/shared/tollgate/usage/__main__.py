"""Counts the usage of some days anew from the calls: a command, for when the stream was not consumed for too long.

    python -m tollgate.usage <first day> <last day> [<owner's uid> …]

Works on TABLE_NAME, in AWS or where DYNAMODB_ENDPOINT_URL says. Exits with 1 if something is left for another run.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from datetime import date, timedelta

from tollgate.aws.dynamodb import DynamoDB
from tollgate.usage.names import Names
from tollgate.usage.rebuild import Rebuild


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rebuild-usage ARGS=…")
    parser.add_argument("first", type=date.fromisoformat, help="YYYY-MM-DD")
    parser.add_argument("last", type=date.fromisoformat, help="YYYY-MM-DD, included")
    parser.add_argument("owners", nargs="*", help="uids of teams or organizations; all if none is given")
    options = parser.parse_args()
    return asyncio.run(rebuild(options.first, options.last, options.owners))


async def rebuild(first: date, last: date, owners: list[str]) -> int:
    """The exit code: 1 if calls or jobs could not be counted, or buckets kept changing."""
    table_name, left = os.environ["TABLE_NAME"], 0
    region = os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]
    async with aclosing(DynamoDB(region, os.environ.get("DYNAMODB_ENDPOINT_URL"))) as db:
        work = Rebuild(db, table_name, Names(table_name), time.time())
        seen: set[str] = set()
        for day in _days(first, last):
            for owner in sorted(owners or await work.owners(day)):
                seen.add(owner)
                done = await work.day(owner, day)
                left += done.failed + done.busy
                if done.counted or done.repaired or done.failed or done.busy:
                    sys.stdout.write(f"{day} {owner}: {done}\n")
        for owner in sorted(seen):
            left += not await work.jobs(owner)
    return 1 if left else 0


def _days(first: date, last: date) -> Iterator[str]:
    return ((first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1))


if __name__ == "__main__":
    sys.exit(main())
