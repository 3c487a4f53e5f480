"""docs/theory.md as a page.

reading.py    the text as parsed
page.py       one HTML page, from theory.html.j2; its formulas by mathml.py
"""
