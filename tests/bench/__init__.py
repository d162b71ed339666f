"""`make bench`: the figures of docs/performance.md, measured side by side on this machine. Nothing here asserts a time."""
