"""The single table: key builders, base item, transactions, cursors. Described in docs/data-model.md."""
