"""A page of metrics as Protocol Buffers, read by Google's own library."""

import importlib.util
import os
import subprocess
import tempfile


def _messages():
    """The module that protoc makes of client_model.proto."""
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix="mysqlconn-proto-") as folder:
        subprocess.run(["protoc", f"--proto_path={here}", f"--python_out={folder}", "client_model.proto"], check=True, timeout=60)
        spec = importlib.util.spec_from_file_location("client_model_pb2", os.path.join(folder, "client_model_pb2.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def families(page):
    """The families of a page, in its order: messages of one name that follow each other are one family."""
    from google.protobuf.internal.decoder import _DecodeVarint32 as varint  # pylint: disable=import-outside-toplevel
    messages, found, at = _messages(), [], 0
    while at < len(page):
        length, at = varint(page, at)
        family = messages.MetricFamily()
        assert family.ParseFromString(page[at:at + length]) == length
        at += length
        if found and found[-1].name == family.name:
            assert (found[-1].type, found[-1].help, found[-1].unit) == (family.type, family.help, family.unit)
            found[-1].metric.extend(family.metric)
        else:
            found.append(family)
    return found


def labels(message):
    """{name: value} of a metric or an exemplar."""
    return {pair.name: pair.value for pair in message.label}


def native_buckets(histogram):
    """[(index, count)] of the positive buckets of a native histogram."""
    buckets, index, count = [], 0, 0
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            buckets.append((index, count))
            index += 1
    assert next(deltas, None) is None
    return buckets
