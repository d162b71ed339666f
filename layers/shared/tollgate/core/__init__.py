"""Pure building blocks: identifiers, money, time and errors. No storage, no HTTP, no AWS."""
