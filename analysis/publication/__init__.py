"""The published results: `docs/results/`, kept in git, grown search by search.

entries.py             the published part of a search and of final numbers, as JSON
others.csv             where others stand
findings.py            from the entries and the champions' networks to a report's findings
tables.py              Markdown tables from the entries
publishing.py          from what MLflow holds to all of it; `publish.py` is the command
pages.py               puts them into the pages between their marks

A store (`mlruns/`) lives on one machine; the results come from several. Each entry says with
what it was made, and tables.py makes the tables from all of them.
"""
