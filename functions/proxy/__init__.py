"""The data plane: an ASGI app, run by the Lambda Web Adapter on Lambda and by uvicorn anywhere else."""
