"""From Python: what the commands do, as functions. `import search` brings them, and stays light.

Options are the commands' own, written with underscores: `train_size=5000` is `--train-size 5000`.
Errors are exceptions with the text that a command prints; a search that is interrupted raises
`KeyboardInterrupt` and can be resumed.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search import champions, rerun, tune
from search.cli.arguments import Parser
from search.cluster import ray_session
from search.errors import INTERRUPTED, Failure
from search.files.home import HOME
from search.study import study as studies
from search.study.storage import load_study, open_storage

if TYPE_CHECKING:
    import pandas as pd

    from models import LatentModel

SAME_DATA = ("data", "data_dir", "image_size", "no_flip", "skip_unreadable", "tracking_uri")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that trained to its end.

    Attributes:
        number: in its study.
        id: unique; `--replay` and `--trial` take it.
        values: of the study's goals.
        params: the hyperparameters.
    """

    number: int
    id: str
    values: tuple[float, ...]
    params: Mapping[str, Any]

    @property
    def value(self) -> float:
        """Of the first goal."""
        return self.values[0]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A search: the one that `run` ended, or resumed.

    Attributes:
        name: as `latent-search studies list` shows it.
        pipeline: that is searched.
        options: of the search, by name.
    """

    name: str
    pipeline: str
    options: Mapping[str, Any]

    @property
    def best(self) -> Trial | None:
        """The best trial that keeps all limits; of two goals the best in the first. None: none."""
        with _opened(self.name) as study:
            found = studies.best_trials(study)
            if not found:
                return None
            trial = found[0]
            config = trial.user_attrs[studies.CONFIG]
            return Trial(
                number=trial.number,
                id=config["trial_id"],
                values=tuple(trial.values),
                params=dict(trial.params),
            )

    def trials(self) -> pd.DataFrame:
        """A row a trial: number, value (or values_0, values_1), state, params_*, duration."""
        with _opened(self.name) as study:
            trained = {trial.number for trial in studies.trained(study)}
            value = "values" if len(study.directions) > 1 else "value"
            table = study.trials_dataframe(("number", value, "state", "params", "duration"))
        return table[table["number"].isin(trained)].reset_index(drop=True)

    def retrain(self, *, seeds: int = 5, **options: Any) -> Final:
        """Train the best again with fresh seeds, then read the test set: what `rerun.py` does.

        Args:
            seeds: trainings of each configuration.
            options: others of `rerun.py`: `top=3`, `epochs=30`, `without="defaults"`, ...

        Raises:
            UserError: an option is wrong, or nothing could be trained; as the command says it.
        """
        from search.finals.driver import final_numbers

        same = {name: self.options[name] for name in SAME_DATA if self.options.get(name)}
        given = {"pipeline": self.pipeline, "study": self.name, "seeds": seeds, **same, **options}
        [result], _ = final_numbers(_parsed(rerun.parser, given))
        return Final(result=result.to_json(), tracking_uri=given.get("tracking_uri"))


@dataclass(frozen=True, kw_only=True)
class Final:
    """The final numbers of a pipeline.

    Attributes:
        result: everything, as in results.json: `rows` (the champion first) with `metrics` by seed
            and their `means`, comparisons, failures.
        tracking_uri: of the store that holds them; None for the usual one.
    """

    result: Mapping[str, Any]
    tracking_uri: str | None = None

    @property
    def champion(self) -> LatentModel:
        """The network of the best seed: (N, C, H, W) in [0, 1] -> (N, K) logits, in eval mode.

        Its `encoder` maps (N, C, H, W) to (N, 128), `classifier` (N, 128) to (N, K), and `decoder`,
        where there is one, (N, 128) to (N, C, H, W).
        """
        return champions.load(self.result["experiment"], tracking_uri=self.tracking_uri)


def run(
    pipeline: str,
    *,
    trials: int = 20,
    data: str | None = None,
    limits: Mapping[str, float] | None = None,
    **options: Any,
) -> Study:
    """Search a pipeline's hyperparameters: what `tune.py` does.

    Args:
        pipeline: its name, or the path of a file with one.
        trials: that the study is to have in the end.
        data: None for the real images, `mini`, or a user's own: `folder:flowers`.
        limits: metric -> the most that it may be.
        options: others of `tune.py`: `epochs=4`, `set={"width": 32}`, `resume=True`,
            `limit=["valid/accuracy>=0.9"]`, `objective=["valid/accuracy", "valid/mae:min"]`, ...

    Raises:
        UserError: an option is wrong, or the search ended early; as the command says it.
    """
    from search.tuning.driver import search

    given = {"pipeline": pipeline, "trials": trials, "data": data, **options}
    above = [f"{metric}<={most:g}" for metric, most in (limits or {}).items()]
    given["limit"] = [*above, *options.get("limit", ())]
    parsed = _parsed(tune.parser, given)
    ended = search(parsed)
    if ended.status == INTERRUPTED:
        raise KeyboardInterrupt
    if ended.troubles:
        raise Failure("\n".join(ended.troubles))
    return Study(name=ended.study, pipeline=parsed.pipeline, options=vars(parsed))


def _parsed(make: Callable[[], Parser], given: Mapping[str, Any]) -> Namespace:
    """The command's options as if typed."""
    ray_session.prepare_environment()
    words = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, Mapping):
            value = [f"{key}={each}" for key, each in value.items()]
        if value is True:
            words.append(option)
        elif isinstance(value, list | tuple):
            words += [word for each in value for word in (option, str(each))]
        elif value is not None and value is not False:
            words += [option, str(value)]
    parser = make()
    parser.raises = True
    return parser.parse_args(words)


@contextmanager
def _opened(name: str) -> Iterator[studies.Study]:
    storage = open_storage(HOME.absolute())
    try:
        yield load_study(storage, name)
    finally:
        storage.engine.dispose()
