"""mlruns/ on the disk: its place, files written whole, hashes, SQLite files created once, locks.

May import `search.errors`, nothing else of `search`.
"""
