"""One file per sweep, each with a `SWEEP`; the file's name is the sweep's name."""
