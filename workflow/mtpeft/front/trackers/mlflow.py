"""MLflow: an experiment for each study file, in one SQLite file; `mlflow ui --backend-store-uri` shows it."""

from collections.abc import Iterable
from pathlib import Path

from mtpeft.front.trackers.runs import TrackedRun

DATABASE = "mlflow.db"
SEEN, PLACE = "mtpeft.sha256", "mtpeft.folder"
"""Tags with the hash of the record that a run is made from, and with the folder of its cell."""
MOST_RUNS = 50_000
"""Largest number of runs that MLflow returns at once."""


def write(runs: Iterable[TrackedRun], folder: Path) -> int:
    """Write what is new into the database in a folder; a cell that was made anew replaces its earlier run."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(f"sqlite:///{(folder / DATABASE).absolute()}")
    experiment = folder.parent.parent.name
    found = client.get_experiment_by_name(experiment)
    number = found.experiment_id if found else client.create_experiment(experiment)
    known = {run.data.tags.get(PLACE): run for run in client.search_runs([number], max_results=MOST_RUNS)}
    new = 0
    for run in runs:
        earlier = known.get(str(run.folder))
        if earlier and earlier.data.tags.get(SEEN) == run.sha256:
            continue
        if earlier:
            client.delete_run(earlier.info.run_id)
        made = client.create_run(number, run_name=run.name)
        time = made.info.start_time
        metrics = [Metric(name, value, time, 0) for name, value in run.metrics.items()]
        metrics += [Metric(name, value, time, step) for name, curve in run.curves.items() for step, value in curve]
        params = [Param(name, value) for name, value in run.params.items()]
        tags = [RunTag(SEEN, run.sha256), RunTag(PLACE, str(run.folder))]
        client.log_batch(made.info.run_id, metrics=metrics, params=params, tags=tags)
        client.set_terminated(made.info.run_id)
        new += 1
    return new
