"""The vocabulary workbench: what to add, what it would change, and the page to do it on."""
