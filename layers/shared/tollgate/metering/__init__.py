"""The money path: entitlement, admission (reserve), settlement (record, settle), sweeper. Invariants: docs/data-model.md."""
