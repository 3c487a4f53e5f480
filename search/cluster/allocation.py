"""Choose a command's device and precision, and how many trials share the machine."""

from __future__ import annotations

import math
from argparse import Namespace

from search.cluster import nodes, profile_trial, ray_session
from search.cluster.resources import Resources, choose_device, cpu_count, gpu_count, share
from search.errors import UserError
from search.files.home import HOME
from search.spaces.pipeline import Params, source_of
from search.spaces.space import Space, largest
from trainers.data import DatasetSpec


def plan_resources(
    options: Namespace,
    pipeline: str,
    space: Space,
    defaults: Params,
    images: DatasetSpec | None = None,
) -> Resources:
    """Choose device, precision, and how many trials share the machine or the joined cluster.

    Args:
        pipeline, space, defaults: what is trained; a GPU is shared by its most expensive model.
        images: what it is trained on, where that is not the pipeline's own data set.

    Raises:
        UserError: a trial takes more than there is, or the cluster cannot be joined.
    """
    asked = options.device, options.gpus_per_trial
    if options.address:
        where, take_profile = "the cluster", nodes.profile
        cpus, gpus = ray_session.join(options.address)
        device = choose_device(*asked, gpus=gpus, none=f"Ray counts no GPU on {options.address}")
    else:
        ray_session.check_sockets()
        where, take_profile = "this machine", profile_trial.profile_locally
        cpus, gpus = cpu_count(), gpu_count()
        device = choose_device(*asked, gpus=gpus)
    # Check before measuring: torch would really start as many threads as the option asks for.
    if (asked_cpus := options.cpus_per_trial or 0) > cpus:
        raise UserError(
            f"--cpus-per-trial {asked_cpus}: {where} has {cpus}\n"
            f"give at most {cpus}, or leave the option out"
        )
    part = options.gpus_per_trial or 0.0
    measure_part = device == "cuda" and not part
    request = profile_trial.ProfileRequest(
        device=device,
        threads=options.cpus_per_trial or 1,
        pipeline=pipeline,
        params=dict(largest(space, defaults)) if measure_part else None,
        images=images,
        source=source_of(pipeline),
    )
    known = None if options.address else profile_trial.recall(HOME, request)
    profile = known or take_profile(request)
    if measure_part:
        part = profile.share(limit=math.ceil((options.concurrency or cpus) / gpus))
    return share(
        device=device,
        precision=profile.precision,
        cpus=cpus,
        gpus=gpus,
        concurrency=options.concurrency,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=part,
    )
