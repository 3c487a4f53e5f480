"""Everything that trains and measures one configuration, on any machine with torch.

    data/          the data sets, their split, and (apart) the test set
    augmentation/  batched random views
    losses.py      what is minimised
    methods/       autoencoder, supervised, contrastive, ...: networks plus a loss, one file each
    optimisation.py, precision.py, loop.py    the one training loop and its parts
    classifiers.py the three classifiers of frozen latents: an MLP, a linear one, k-NN
    evaluation.py  what a trial reports

May import models/, torch, torchvision, numpy and scikit-learn; never ray, optuna or mlflow,
so that the same code serves a search, a plain script, a benchmark and a test.
"""
