"""The money path: entitlement, admission (reserve), settlement (record, settle), sweeper.

Its invariants stand in docs/data-model.md.
"""
