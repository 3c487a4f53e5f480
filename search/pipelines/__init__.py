"""One file for each pipeline: its name is the pipeline's name, its `PIPELINE` the definition.

To add a pipeline, add a file here; no other file has to change.
"""
