"""Write a document: as one page, as a PDF, as pages for GitHub, as single files.

files.py   renders every figure once; PNG and SVG, CSV and LaTeX
page.py    one self-contained HTML page, from page.html.j2; frame and style serve other pages too
pdf.py     a PDF, by Typst
markdown.py   pages for GitHub
inline_markup.py   the few marks that text may bear, for each of these
"""
