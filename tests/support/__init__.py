"""What tests share: environment, calls of handlers, callers, builders, clock."""
