"""Statistics on plain numbers and arrays: pure functions, no tables."""
