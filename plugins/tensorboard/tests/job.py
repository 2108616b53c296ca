"""Jobs that write event files into the folder that they are started in: `python job.py tensorboardX|tensorboard|tensorflow`.

For an environment that has one of them, in whichever version. recorded/ holds what the third wrote, as it is too large to be
installed for a test; its README says how.
"""

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from job_values import HPARAMS, NUMBERS, STEPS, TEXT, TIME, VALUES, WAV

PICTURE = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 256).astype(np.uint8)
POINTS = np.arange(9, dtype=np.float32).reshape(1, 3, 3)


def tensorboardx():
    """All that its SummaryWriter has without further libraries than soundfile, and a restart."""
    from tensorboardX import SummaryWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.graph_pb2 import GraphDef

    writer = SummaryWriter("exp/a")
    for index, (step, value) in enumerate(zip(STEPS, VALUES, strict=True)):
        writer.add_scalar("train/löss_.x", value, step, walltime=TIME + index)
    writer.add_text("note", TEXT, 3, walltime=TIME)
    writer.add_histogram("weights", np.array(NUMBERS), 4, bins="tensorflow", walltime=TIME)
    writer.add_image("sample", PICTURE, 2, walltime=TIME)
    writer.add_audio("sound", np.zeros(800, np.float32), 2, sample_rate=8000, walltime=TIME)
    writer.add_pr_curve("curve", np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.4, 0.6]), 5, walltime=TIME)
    writer.add_mesh("body", vertices=POINTS, global_step=6, walltime=TIME)
    writer.add_custom_scalars({"all": {"losses": ["Multiline", ["loss.*"]]}})
    writer.add_scalars("losses", {"fit": 1.5, "held_out": 2.5}, 7, walltime=TIME)
    # add_graph wants PyTorch, and writes this.
    graph = GraphDef()
    graph.node.add(name="x", op="Placeholder")
    writer.file_writer.event_writer.add_event(Event(wall_time=TIME, graph_def=graph.SerializeToString()))
    if hasattr(writer, "add_hparams"):
        writer.add_hparams(HPARAMS, {"hparam/accuracy": 0.75})
    writer.close()
    # The job is started again from a checkpoint before step 5.
    writer = SummaryWriter("exp/a", purge_step=5, filename_suffix=".again")
    writer.add_scalar("train/löss_.x", 0.25, 5, walltime=TIME + 100)
    writer.close()


def tensorboard():
    """Scalars as numbers and as tensors, and what its plugins' own functions make, by its own writer."""
    # NumPy had this when the oldest of them was written.
    np.asscalar = lambda number: number.item()
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.audio import metadata as audio
    from tensorboard.plugins.custom_scalar import metadata as custom_scalar
    from tensorboard.plugins.histogram import summary_v2 as histogram
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.plugins.hparams import summary_v2 as hparams
    from tensorboard.plugins.image import metadata as image
    from tensorboard.plugins.mesh import metadata as mesh
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
    from tensorboard.plugins.pr_curve import metadata as pr_curve
    from tensorboard.plugins.scalar import metadata as scalar
    from tensorboard.plugins.text import summary_v2 as text
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util

    def put(writer, summary, step, at=TIME):
        writer.add_event(Event(wall_time=at, step=step, summary=summary))

    def tensor(tag, array, metadata):
        proto = tensor_util.make_tensor_proto(array)
        return Summary(value=[Summary.Value(tag=tag, tensor=proto, metadata=metadata)])

    writer = EventFileWriter("exp/a")
    about = scalar.create_summary_metadata("loss", "of the training set")
    for index, (step, value) in enumerate(zip(STEPS, VALUES, strict=True)):
        put(writer, Summary(value=[Summary.Value(tag="old", simple_value=value)]), step, TIME + index)
        put(writer, tensor("new", np.float32(value), about), step, TIME + index)
        put(writer, tensor("double", np.float64(value), about), step, TIME + index)
        put(writer, tensor("whole", np.int64(2**60 + index), about), step, TIME + index)
        about = None  # said once
    put(writer, text.text_pb("note", TEXT), 3)
    put(writer, text.text_pb("table", [["a", "b"], ["c", "ü"]]), 3)
    put(writer, histogram.histogram_pb("weights", np.array(NUMBERS), buckets=5), 4)
    put(writer, histogram.histogram_pb("nothing", np.array([])), 4)
    pictures = np.array([b"5", b"4", PNG, PNG], dtype=object)
    put(writer, tensor("sample", pictures, image.create_summary_metadata(None, None)), 2)
    for step, about in ((2, audio.create_summary_metadata(None, None, encoding=11)), (3, None)):
        put(writer, tensor("sound", np.array([[WAV, b"label"]], dtype=object), about), step)
    for step, about in ((5, pr_curve.create_summary_metadata(None, None, 5)), (6, None)):
        put(writer, tensor("curve", np.ones((6, 5), np.float32), about), step)
    vertex = MeshPluginData.ContentType.Value("VERTEX")
    put(writer, tensor("body", POINTS, mesh.create_summary_metadata("body", None, vertex, 1, [1, 3, 3])), 6)
    layout = custom_scalar.create_summary_metadata()
    put(writer, tensor("layout", np.array(b"\n\3all", dtype=object), layout), 0)
    writer.add_event(Event(wall_time=TIME, graph_def=b"\n\1x"))
    writer.close()
    writer = EventFileWriter("exp/a", filename_suffix=".again")
    start = SessionLog(status=SessionLog.SessionStatus.Value("START"))
    writer.add_event(Event(wall_time=TIME, step=5, session_log=start))
    put(writer, Summary(value=[Summary.Value(tag="old", simple_value=0.25)]), 5, TIME + 100)
    writer.close()
    writer = EventFileWriter("exp/b")
    put(writer, hparams.hparams_config_pb([hparams.HParam("lr")], [hparams.Metric("loss")]), 0)
    put(writer, hparams.hparams_pb(HPARAMS, start_time_secs=TIME), 0)
    end = plugin_data_pb2.SessionEndInfo(status=2, end_time_secs=TIME + 7)
    summary = hparams.hparams_pb({}, start_time_secs=TIME)
    [value] = summary.value
    value.tag = "_hparams_/session_end_info"
    data = plugin_data_pb2.HParamsPluginData(version=0, session_end_info=end)
    value.metadata.plugin_data.content = data.SerializeToString()
    put(writer, summary, 0, TIME + 7)
    writer.close()


def tensorflow():
    """tf.summary of both major versions, a training with Keras, and what a profiler leaves."""
    import tensorflow as tf

    said = {"begin": time.time()}
    with tf.summary.create_file_writer("v2").as_default():
        for step, value in zip(STEPS, VALUES, strict=True):
            tf.summary.scalar("loss", value, step)
        tf.summary.text("note", TEXT, 3)
        tf.summary.histogram("weights", NUMBERS, 4, buckets=5)
        tf.summary.image("sample", np.zeros((2, 4, 5, 3), np.uint8), 2)
        for step in (2, 3):
            tf.summary.audio("sound", np.zeros((1, 80, 1), np.float32), 8000, step)
        tf.summary.write("cube", np.zeros((2, 2, 2), np.float32), 1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        v1 = tf.compat.v1.summary
        fed = tf.compat.v1.placeholder(tf.float32, [])
        texts = tf.compat.v1.placeholder(tf.string, [])
        merged = v1.merge([
            v1.scalar("loss", fed), v1.histogram("weights", NUMBERS), v1.image("sample", np.zeros((1, 4, 5, 3), np.uint8)),
            v1.audio("sound", np.zeros((1, 80), np.float32), 8000), v1.text("note", texts),
        ])  # fmt: skip
        writer = v1.FileWriter("v1", session.graph)
        for step, value in zip(STEPS, VALUES, strict=True):
            writer.add_summary(session.run(merged, {fed: value, texts: f"{step}: {TEXT}"}), step)
        writer.add_run_metadata(tf.compat.v1.RunMetadata(), "first", 1)
        writer.close()
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    board = tf.keras.callbacks.TensorBoard("keras", histogram_freq=1, write_graph=True, update_freq="epoch")
    data = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    history = model.fit(*data, epochs=3, validation_data=data, callbacks=[board], verbose=0).history
    said["history"] = {name: list(map(float, values)) for name, values in history.items()}
    if version("tensorflow-cpu") < "2.20":  # later ones mark such folders no more
        from tensorflow.python.eager import profiler

        Path("profiled").mkdir()
        profiler.maybe_create_event_file("profiled")
    return said | {"end": time.time()}


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)  # fmt: skip
"""A picture of one pixel."""

if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    library = sys.argv[1]
    jobs = {"tensorboardX": tensorboardx, "tensorboard": tensorboard, "tensorflow": tensorflow}
    found = jobs[library]() or {}
    package = "tensorflow-cpu" if library == "tensorflow" else library
    print(json.dumps({"version": version(package), **found}))
