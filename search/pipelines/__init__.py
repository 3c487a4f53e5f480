"""One file a pipeline. The file's name is the pipeline's name, its `PIPELINE` the definition.

Adding a pipeline is adding a file here: nothing else has to know of it.
"""
