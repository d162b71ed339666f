"""What a million calls cost on AWS, from measured units and times. Prices are data: change them with their date."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "AWS public price list, us-east-1, as of 2025"
# USD; the first tier, without a free one.
WRITE_UNITS = 0.625  # a million write request units, on demand
READ_UNITS = 0.125  # a million read request units, on demand
REQUESTS = 3.50  # a million requests of a REST API
INVOCATIONS = 0.20  # a million invocations of Lambda
GB_SECOND = 0.0000133334  # Lambda on arm64
_PROXY_GB = 1.0
_CONSUMER_GB = 0.5


@dataclass(frozen=True)
class Measured:
    """What a call consumes: units of its path and of its rollup, and milliseconds of functions.

    ``milliseconds`` is what Tollgate adds to the provider's own time, ``rollup_milliseconds`` the consumer's share.
    """

    write_units: float
    read_units: float
    rollup_units: float
    milliseconds: float
    rollup_milliseconds: float


@dataclass(frozen=True)
class Cost:
    """A part of what a million calls cost, in USD."""

    part: str
    usd: float


def of_a_million(call: Measured) -> list[Cost]:
    """The parts in the order of a call's way; without traffic out, logs, and what the provider takes."""
    return [
        Cost("API Gateway, REST", REQUESTS),
        Cost("Lambda, invocations", INVOCATIONS),
        Cost("Lambda, the time that Tollgate adds", _lambda(call.milliseconds, _PROXY_GB)),
        Cost("DynamoDB, reads", call.read_units * READ_UNITS),
        Cost("DynamoDB, writes", call.write_units * WRITE_UNITS),
        Cost("DynamoDB, writes of the rollups", call.rollup_units * WRITE_UNITS),
        Cost("Lambda, the rollups", _lambda(call.rollup_milliseconds, _CONSUMER_GB)),
    ]


def of_a_second() -> float:
    """USD for a million calls for every second that the provider takes: the function waits with them."""
    return _lambda(1000, _PROXY_GB)


def _lambda(milliseconds: float, gigabytes: float) -> float:
    return milliseconds / 1000 * gigabytes * GB_SECOND * 1_000_000
