"""docs/theory.md as a page: page.py, and theory.html.j2."""
