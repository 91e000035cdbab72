"""Tables and text made for people: terminal, files, pages."""
