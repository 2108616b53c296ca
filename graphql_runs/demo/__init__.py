"""A real, small training job that writes what real jobs write, for the demo to show.

``python -m graphql_runs.demo.sweep FOLDER [--seconds 60] [--children 6] [--seed 0]`` searches the
hyper-parameters of a neural network on scikit-learn's handwritten digits. Losses, accuracies and confusion
matrices are computed, not invented; only the pace is artificial (short sleeps between steps, so that the
sweep takes about ``--seconds``). The sweep is one parent run with children that wait for the two nodes of a
cluster, each child a process of its own; one child has a learning rate that makes it diverge, so it fails.
scikit-learn (the extra ``demo``) is needed only to unpack the data.

What it leaves under FOLDER, growing line by line while it runs::

    data/digits.npz                         the data set: train, validation and test split
    azureml/cluster.json                    the cluster: counts and states of nodes, node -> run
    azureml/HD_<uuid>/                      the sweep
        run_details.json                    status, tags (_aml_system_<child> = hyper-parameters), best child
        azureml-logs/hyperdrive.txt         <START>...<END> records, no newlines
        logs/azureml/data_prep.log          of the sweep that unpacked the data
    azureml/HD_<uuid>_<k>/                  child k
        run_details.json
        azureml-logs/55_azureml-execution-<node>.txt, 65_job_prep-<node>.txt,
                     70_driver_log.txt, 75_job_post-<node>.txt          (odd k: the old layout of logs)
        user_logs/std_log.txt                                           (even k: the new layout)
        system_logs/lifecycler/{vm-bootstrapper,lifecycler,execution-wrapper}.log
        outputs/metrics.jsonl               {"step", "time": Unix seconds, "epoch", "train/loss", ...}
        outputs/model.npz                   weights, of children that completed
        outputs/confusion_matrix.json       Azure ML's confusion_matrix artifact, version 1.0.0
    jobs/baseline-<uuid8>/                  a linear model, no tracker
        stdout.log                          log lines and a progress bar redrawn with carriage returns
        metrics.csv                         epoch,step,train_loss,val_acc with blanks, as Lightning has it
    jobs/evaluate-<uuid8>/                  the best child's model on noisy test data
        stdout.log, metrics.jsonl, confusion_matrix.json
    jobs/*/exit_code                        written when the job has ended

Logs and metrics are appended and flushed a line at a time; JSON documents are replaced whole, atomically.
A child goes NotStarted, Queued, Preparing, Running, Finalizing, then Completed or Failed; SIGINT and SIGTERM
take every run that has not ended through CancelRequested to Canceled. After SIGKILL the jobs stop by
themselves, and the documents stay as they were. Each sweep has new ids and rewrites nothing of an earlier one
but ``cluster.json``; a second sweep in the same folder at the same time is refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["sweep_command"]


def sweep_command(folder: Path, seconds: float, children: int) -> list[str]:
    """The command that runs the sweep in FOLDER as a process of its own, for :mod:`subprocess`.

    It takes about ``seconds`` and prints nothing unless it fails; SIGTERM ends it, its runs marked Canceled.
    """
    module = [sys.executable, "-m", "graphql_runs.demo.sweep"]
    return [*module, str(folder), "--seconds", str(seconds), "--children", str(children), "--quiet"]
