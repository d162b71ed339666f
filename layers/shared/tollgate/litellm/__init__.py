"""LiteLLM's management API as a dialect: its requests, rows and errors over the same services as the native API."""
