"""The shared parts of the commands: options, progress, output, exit.

May import trials, spaces and files.
"""
