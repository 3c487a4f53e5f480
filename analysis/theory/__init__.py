"""docs/theory.md as files.

reading.py    the text as parsed
page.py       one HTML page, from theory.html.j2; its formulas by mathml.py
pdf.py        a PDF; its lines by pdf_lines.py, its formulas by glyphs.py
"""
