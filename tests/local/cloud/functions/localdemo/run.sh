#!/bin/sh
exec python -m uvicorn localdemo.app:app --port "$AWS_LWA_PORT"
