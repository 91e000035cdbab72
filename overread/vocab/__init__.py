"""YAML vocabulary files -> one immutable vocabulary, with file:line:column for every entry."""
