"""The native API: one module per endpoint."""
