"""`read FOLDER` prints the scalars that TensorBoard reads from event files; `make` prints one record as TensorBoard writes it."""

import json
import math
import sys


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0}).Reload()
    finite = lambda value: value if math.isfinite(value) else None
    return {
        tag: [[point.step, finite(point.value)] for point in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def make():
    import os
    import tempfile

    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    path = os.path.join(tempfile.mkdtemp(), "events")
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in [("reward", 0.5), ("rewards/größe/mean", 0.0)]]
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for event in [
            Event(wall_time=1000.25, file_version="brain.Event:2"),
            Event(wall_time=1000.25, step=301, session_log=SessionLog(status=SessionLog.START)),
            Event(wall_time=1000.25, step=2**40, summary=Summary(value=values)),
        ]:
            writer.write(event.SerializeToString())
        writer.flush()
    with open(path, "rb") as file:
        return file.read().hex()


if __name__ == "__main__":
    print(json.dumps(make() if sys.argv[1] == "make" else read(sys.argv[2])))
