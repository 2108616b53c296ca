"""TensorBoard's readers, measured in an environment of their own: `python tensorboard_peer.py FOLDER LOGDIR`.

The loader reads events one file after the other and keeps nothing; a quarter of the files tells its rate. The data server, which TensorBoard itself asks, is a process in
Rust that reads the files in parallel into its memory; it is told to keep all points, and counts from its start until it has them.
Prints one JSON object: for each figure, `workload what`, its values in points per second.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROUNDS = 3


def loader(paths: Sequence[Path]) -> tuple[int, float]:
    """Points, and seconds for reading them."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    begin = time.perf_counter()
    points = 0
    for path in paths:
        points += sum(len(event.summary.value) for event in EventFileLoader(str(path)).Load())
    return points, time.perf_counter() - begin


def data_server(logdir: Path, points: int) -> float:
    """Seconds until the server has this many points."""
    from tensorboard.context import RequestContext
    from tensorboard.data.server_ingester import SubprocessServerDataIngester, get_server_binary
    from tensorboard.util.grpc_util import ChannelCredsType

    begin = time.perf_counter()
    server: Any = SubprocessServerDataIngester(
        get_server_binary(),
        str(logdir),
        reload_interval=0,
        channel_creds_type=ChannelCredsType.LOCAL,
        samples_per_plugin={"scalars": 0},
    )
    server.start()
    context, found = RequestContext(), 0
    runs = len(list(logdir.iterdir()))
    while found < points:
        time.sleep(0.005)
        listed = server.data_provider.list_scalars(context, experiment_id="", plugin_name="scalars")
        # Steps count from 0, and the answer has no counts.
        found = sum(series.max_step + 1 for tags in listed.values() for series in tags.values())
    seconds = time.perf_counter() - begin
    read = server.data_provider.read_scalars(
        context, experiment_id="", plugin_name="scalars", downsample=points
    )
    if len(read) != runs or sum(len(series) for tags in read.values() for series in tags.values()) != points:
        raise SystemExit("the data server does not have all points")
    server._stdin_handle.close()
    return seconds


def main(logdir: Path) -> None:
    """Measure, the two in turns."""
    paths = sorted(logdir.glob("*/*"))
    few = paths[: max(1, len(paths) // 4)]
    loaded, served = [], []
    for _ in range(ROUNDS):
        points, seconds = loader(few)
        loaded.append(points / seconds)
        # All files are of one size.
        points = points // len(few) * len(paths)
        served.append(points / data_server(logdir, points))
    print(
        json.dumps(
            {
                "W11 EventFileLoader, events alone": loaded,
                "W11 data server, all points in its memory": served,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[2]))
