"""The edge of the native API: resolver factory, problem documents, dependencies of handlers, OpenAPI."""
