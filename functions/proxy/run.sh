#!/bin/sh
# Started by the Lambda Web Adapter, which forwards requests to the port and streams the answers.
PATH="$PATH:/opt/python/bin:$LAMBDA_TASK_ROOT/bin"
PYTHONPATH="$PYTHONPATH:/opt/python:$LAMBDA_RUNTIME_DIR:$LAMBDA_TASK_ROOT"
export PATH PYTHONPATH
exec python3 -m uvicorn proxy.app:app --host 127.0.0.1 --port "${AWS_LWA_PORT:-8000}" --no-access-log --log-level warning
