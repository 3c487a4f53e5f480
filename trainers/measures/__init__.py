"""Measures of latents and pictures that need no training; plain arrays in and out.

structure.py   of (N, D) latents: alignment, uniformity, spectrum, correlation
walks.py       of a straight walk between two latents
samples.py     of samples against real images
nearest.py     how far points are from their nearest neighbours
"""
