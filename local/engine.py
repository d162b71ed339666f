"""The engine under the local cloud: moto in this process behind one lock, or DynamoDB elsewhere.

moto is not safe under threads: two conditional updates may both see the old item. So every request
to it, from botocore in this process or over the loopback endpoint that the hot path's own client
uses, goes through one lock. Botocore clients that are configured with the loopback endpoint do not
travel over the socket: they are recognised and answered in process.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto import mock_aws
from moto.core.models import botocore_stubber
from moto.dynamodb.models import dynamodb_backends
from moto.kms.models import kms_backends

from local import shortcut, transactions
from local.intrinsics import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.dynamodb.models.table import Table

LOCK = threading.RLock()

_HOSTS = {
    "DynamoDB": f"https://dynamodb.{REGION}.amazonaws.com/",
    "DynamoDBStreams": f"https://streams.dynamodb.{REGION}.amazonaws.com/",
}
_KEY_ID = "10ca1000-0000-4000-8000-000000000001"
_answer_by_moto = botocore_stubber.process_request


class EngineError(Exception):
    """The engine that DYNAMODB_ENDPOINT_URL names cannot be used."""


class Engine:
    """A running engine: `endpoint_url` is DynamoDB's; KMS and SNS are moto's in process."""

    def __init__(self, endpoint_url: str, server: ThreadingHTTPServer | None, mock: Any) -> None:
        self.endpoint_url = endpoint_url
        self.embedded = server is not None
        self._server = server
        self._mock = mock
        self._clients: dict[str, Any] = {}

    def check(self) -> None:
        """Raise EngineError unless a DynamoDB answers."""
        quick = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0})
        client = boto3.client("dynamodb", endpoint_url=self.endpoint_url, config=quick)
        try:
            client.list_tables(Limit=1)
        except (BotoCoreError, ClientError) as error:
            self.stop()
            message = f"DYNAMODB_ENDPOINT_URL: no DynamoDB answers at {self.endpoint_url}"
            raise EngineError(message) from error

    def stop(self) -> None:
        """End the loopback server; moto's data are gone afterwards."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._mock.stop()

    def client(self, service: str) -> Any:
        """The botocore client of `service` on this engine."""
        if service not in self._clients:
            local = {"endpoint_url": self.endpoint_url} if service.startswith("dynamodb") else {}
            make: Any = boto3.client  # its stubs know literal service names only
            self._clients[service] = make(service, **local)
        return self._clients[service]

    @cached_property
    def key_id(self) -> str:
        """The id of the engine's one KMS key.

        Id and material are always the same, so that what it encrypted stays readable where the
        table outlives this process.
        """
        backend = kms_backends[ACCOUNT_ID][REGION]
        key = backend.create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
        del backend.keys[key.id]
        key.id = _KEY_ID
        key.arn = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/{_KEY_ID}"
        key.key_material = hashlib.sha256(_KEY_ID.encode()).digest()
        backend.keys[_KEY_ID] = key
        return _KEY_ID

    def ensure_table(self, arguments: Mapping[str, Any], ttl_attribute: str | None = None) -> None:
        """Create the table unless the engine has it already."""
        client = self.client("dynamodb")
        try:
            client.create_table(**arguments)
        except client.exceptions.ResourceInUseException:
            return
        name = arguments["TableName"]
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        if ttl_attribute:
            specification = {"Enabled": True, "AttributeName": ttl_attribute}
            client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)

    def moto_table(self, name: str) -> Table | None:
        """The embedded engine's own table; None if the engine is another one or has no such table."""
        return dynamodb_backends[ACCOUNT_ID][REGION].tables.get(name) if self.embedded else None

    def recreate_table(self, arguments: Mapping[str, Any], ttl_attribute: str | None) -> None:
        """The table without items and with a new stream; for tests."""
        name = arguments["TableName"]
        if not self.embedded:
            client = self.client("dynamodb")
            with suppress(client.exceptions.ResourceNotFoundException):
                client.delete_table(TableName=name)
        elif (table := self.moto_table(name)) is not None:
            with LOCK:
                transactions.empty(table)
            return
        self.ensure_table(arguments, ttl_attribute)


def aws_environment() -> dict[str, str]:
    """The AWS variables of a process on a local engine.

    Credentials, region and account are fake ones whatever the environment holds: nothing may ever
    reach a real account.
    """
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def start_engine(endpoint_url: str | None = None) -> Engine:
    """Start the embedded engine, or use the DynamoDB at `endpoint_url`.

    Sets the process's AWS environment. One engine per process at a time. Raises EngineError if no
    DynamoDB answers at `endpoint_url`.
    """
    os.environ.update(aws_environment())
    transactions.install()
    mock = mock_aws(config={"core": {"mock_credentials": False, "reset_boto3_session": True}})
    mock.start()
    server = None
    if endpoint_url is None:
        server = _serve()
        endpoint_url = f"http://127.0.0.1:{server.server_address[1]}"
    _route_requests(endpoint_url, embedded=server is not None)
    engine = Engine(endpoint_url, server, mock)
    if not engine.embedded:
        engine.check()
    return engine


def _route_requests(endpoint_url: str, *, embedded: bool) -> None:
    """Decide for every botocore request of this process who answers it."""

    def route(request: AWSPreparedRequest) -> Any:
        if request.url.startswith(endpoint_url):
            if not embedded:
                return None
            request.url = _aws_url(request.headers)
        with LOCK:
            return _answer_by_moto(request)

    botocore_stubber.process_request = route  # type: ignore[method-assign]
    if embedded:
        shortcut.install(endpoint_url, _answer)


def _answer(target: str, body: bytes) -> shortcut.Answer:
    with LOCK:
        return shortcut.answered(target, body)


def _aws_url(headers: HTTPHeaders) -> str:
    target = headers.get("X-Amz-Target", b"")
    name = target.decode() if isinstance(target, bytes) else target
    return _HOSTS[name.partition("_")[0]]


class _LoopbackHandler(BaseHTTPRequestHandler):
    """DynamoDB's JSON protocol over HTTP/1.1 with connections kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm: ClassVar[bool] = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "")
        if not target.startswith(shortcut.TARGET):
            self.send_error(400, "unknown X-Amz-Target")
            return
        status, answer_headers, answer = _answer(target, body)
        payload = answer.encode() if isinstance(answer, str) else answer
        self.send_response(status)
        for name, value in answer_headers.items():
            if name.lower() not in ("content-length", "date", "server", "connection"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Say nothing: this is a database, not a web server."""


class _LoopbackServer(ThreadingHTTPServer):
    daemon_threads = True
    # A stopped engine does not wait for clients that keep their connections open.
    block_on_close = False
    request_queue_size = 128


def _serve() -> ThreadingHTTPServer:
    server = _LoopbackServer(("127.0.0.1", 0), _LoopbackHandler)
    threading.Thread(target=server.serve_forever, name="engine", daemon=True).start()
    return server
