"""A job that logs numbers with other people's loggers, in the folder that it is started in. For an environment that has them.

`python job.py` needs structlog and tqdm, and prints what it logged: by file, each row as step, values and time (or None).
`python job.py keras` needs keras with a backend, and is too large for that: what it printed lies in `keras/`, with what Keras itself
kept of it.
"""

import json
import logging
import math
import sys
import time
from pathlib import Path

ROWS = [
    (0, {"loss": 2.302585092994046, "acc": 0}),
    (1, {"loss": 1e-07, "acc": 0.5}),
    (2, {"loss": math.nan, "acc": 9007199254740993}),
    (10, {"loss": math.inf, "acc": -12}),
    (5, {"loss": -math.inf, "größe": 1e300}),
    (6.5, {"loss": -0.0, "acc": 1}),
]


def main() -> None:
    import structlog
    import tqdm

    rows = [[step, {key: repr(value) for key, value in values.items()}, None] for step, values in ROWS]
    said = {"plain.log": rows, "zoned.log": with_logging(), "bar.err": with_tqdm(tqdm.tqdm)}
    said |= {"events.log": with_structlog(structlog), "console.log": rows, "colours.log": rows}
    sys.stdout.write(json.dumps({"version": structlog.__version__, "said": said}) + "\n")


def with_logging() -> list:
    plain = logging.FileHandler("plain.log", encoding="utf-8")
    plain.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s:%(lineno)d %(message)s"))
    zoned = logging.FileHandler("zoned.log", encoding="utf-8")
    zoned.setFormatter(
        logging.Formatter("%(asctime)s.%(msecs)03dZ [%(levelname)s] %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    zoned.formatter.converter = time.gmtime
    times = []
    zoned.addFilter(
        lambda record: times.append(int(record.created) * 1_000_000 + int(record.msecs) * 1000) or True
    )
    log = logging.getLogger("trainer")
    log.setLevel(logging.DEBUG)
    log.handlers = [plain, zoned]
    rows = []
    for step, values in ROWS:
        log.debug("a step begins: %s of %d", step, 100)
        log.info("step=%s %s", step, " ".join(f"{key}={value!r}" for key, value in values.items()))
        rows.append([step, {key: repr(value) for key, value in values.items()}, times[-1]])
    try:
        raise ValueError("step=7 loss is too large")
    except ValueError:
        log.exception("it went wrong")
    return rows


def with_structlog(structlog) -> list:
    stamps = []

    def stamp(logger, name, event):
        now = time.time_ns() // 1000
        stamps.append(now)
        return {
            **event,
            "timestamp": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**6))}.{now % 10**6:06}Z",
        }

    renderers = {
        "events.log": structlog.processors.JSONRenderer(),
        "console.log": structlog.dev.ConsoleRenderer(colors=False),
        "colours.log": structlog.dev.ConsoleRenderer(colors=True),
    }
    rows = []
    for name, renderer in renderers.items():
        with Path(name).open("w", encoding="utf-8") as file:
            processors = [structlog.processors.add_log_level, renderer]
            if name == "events.log":
                processors.insert(0, stamp)
            log = structlog.wrap_logger(structlog.PrintLogger(file), processors)
            log.info("started", seed=7)
            for step, values in ROWS:
                log.info("trained", step=step, done=True, **values)
                if name == "events.log":
                    rows.append([step, {key: repr(value) for key, value in values.items()}, stamps[-1]])
            log.error("failed", loss=3, reason="none")
    return rows


def with_tqdm(tqdm) -> list:
    rows = []
    with Path("bar.err").open("w", encoding="utf-8") as file:
        for epoch in range(3):
            with tqdm(total=20, desc=f"Epoch {epoch}", file=file, mininterval=0, miniters=1) as bar:
                for place in range(20):
                    bar.set_postfix(loss=1 / (1 + place), refresh=False)
                    bar.update()
            # tqdm writes three significant digits.
            rows.append([epoch, {"loss": "0.05"}, None])
        with tqdm(total=20, desc="no step", file=file, mininterval=0) as bar:
            for _ in range(20):
                bar.set_postfix(loss=1.0)
                bar.update()
    return rows


def with_keras() -> None:
    import keras
    import numpy as np

    keras.utils.set_random_seed(7)
    x = np.random.default_rng(7).normal(size=(64, 4))
    y = (x.sum(axis=1) > 0).astype(int)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=3, batch_size=16, validation_split=0.25, verbose=int(sys.argv[2]))
    Path(sys.argv[3]).write_text(
        json.dumps({"version": keras.__version__, "history": history.history}) + "\n"
    )


if __name__ == "__main__":
    with_keras() if sys.argv[1:2] == ["keras"] else main()
