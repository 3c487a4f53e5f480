"""The images: what data sets there are, where their files lie, how they are read and split.

    datasets.py   the table of data sets and the types that carry images
    files.py      finds a data folder and reads its files, each verified by its MD5
    formats.py    turns the bytes of a published file into arrays
    download.py   fetches a data set that is nowhere on this machine
    staging.py    a folder beside, in which files are made before they are put in their place
    split.py      one stratified order, from which every split and subset is cut
    training.py   the official training set as train and validation: what a trial may see
    mini.py       small stand-ins that need no files; mini_patterns.py draws the coloured one
    pictures.py   finds a user's own images: a folder, arrays, torchvision's sets
    own.py        decodes and splits them once, into arrays that are opened page by page
    test_set.py   the test images, for final numbers only

May import numpy and filelock, inside functions scikit-learn (digits) and torchvision (download),
both slow to import, and for a user's own images Pillow.  Imports torch nowhere: a driver, a test or
`--help` reads data without it.  This file leaves test_set.py out on purpose: a module that reports
final numbers imports it by name, and none that trains may.
"""

from trainers.data.datasets import (
    DATASETS,
    DatasetSpec,
    LabelledImages,
    TrainingData,
)
from trainers.data.training import load_training
from trainers.errors import DataError

__all__ = [
    "DATASETS",
    "DataError",
    "DatasetSpec",
    "LabelledImages",
    "TrainingData",
    "load_training",
]
