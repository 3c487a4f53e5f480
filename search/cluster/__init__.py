"""All of Ray: start or join a cluster, check its nodes, share its resources, train in it.

May import trials, spaces and files.
"""
