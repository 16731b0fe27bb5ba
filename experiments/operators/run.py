"""Which ONNX Runtime operators should read packed tables and int8 layers? Medians on one pinned thread, interleaved.

    python experiments/operators/run.py      # under a minute; stores results.json

Random weights: only time is measured here, never quality.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from autocompress.data.inputs import Inputs
from autocompress.measure.latency import interleaved
from autocompress.measure.machine import machine
from autocompress.storage import write_json

HERE = Path(__file__).parent
FIELDS, DIM, ROWS, BATCH, RUNS = 20, 16, 50_000, 256, 300
Arrays = dict[str, NDArray[np.generic]]
NODE = helper.make_node


def session(nodes: list[object], arrays: Arrays, kind: int, width: int) -> onnxruntime.InferenceSession:
    """A session over `ids` (batch, width) of type `kind`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", kind, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def tables(draw: np.random.Generator) -> dict[str, onnxruntime.InferenceSession]:
    """Ways to look up FIELDS rows of DIM values."""
    scales = draw.random((ROWS, 1)).astype(np.float16)
    packed = draw.integers(0, 255, (ROWS, DIM // 2)).astype(np.uint8)
    scaled = [
        NODE("Gather", ["S", "ids"], ["h"]),
        NODE("Cast", ["h"], ["s"], to=TensorProto.FLOAT),
        NODE("Mul", ["f", "s"], ["y"]),
    ]
    nibbles = [
        NODE("Gather", ["W", "ids"], ["b"]),
        NODE("BitwiseAnd", ["b", "m"], ["lo"]),
        NODE("BitShift", ["b", "four"], ["hi"], direction="RIGHT"),
        NODE("Concat", ["lo", "hi"], ["c"], axis=-1),
        NODE("DequantizeLinear", ["c", "one", "zero"], ["f"]),
    ]
    four: Arrays = {
        "W": packed, "S": scales, "m": np.array(15, np.uint8), "four": np.array(4, np.uint8),
        "one": np.array(1, np.float32), "zero": np.array(8, np.uint8),
    }  # fmt: skip
    eight: Arrays = {"W": draw.integers(-127, 127, (ROWS, DIM)).astype(np.int8), "S": scales}
    field_scale = [
        NODE("Reshape", ["f", "shape"], ["flat"]),
        NODE("Mul", ["flat", "F"], ["y"]),
    ]
    by_field: Arrays = {
        **{name: value for name, value in four.items() if name != "S"},
        "shape": np.array([-1, FIELDS * DIM]), "F": draw.random(FIELDS * DIM).astype(np.float32),
    }  # fmt: skip
    block = NODE(
        "GatherBlockQuantized", ["W", "ids", "S"], ["y"], domain="com.microsoft",
        bits=4, block_size=16, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    cast = [NODE("Gather", ["W", "ids"], ["c"]), NODE("Cast", ["c"], ["f"], to=TensorProto.FLOAT)]
    floats: Arrays = {"W": draw.standard_normal((ROWS, DIM)).astype(np.float32)}
    kind = TensorProto.INT32
    return {
        "float": session([NODE("Gather", ["W", "ids"], ["y"])], floats, kind, FIELDS),
        "int8, scale per row": session([*cast, *scaled], eight, kind, FIELDS),
        "4 bits by bit operators, scale per row": session([*nibbles, *scaled], four, kind, FIELDS),
        "4 bits by bit operators, scale per field": session([*nibbles, *field_scale], by_field, kind, FIELDS),
        "GatherBlockQuantized": session([block], {"W": packed, "S": scales.astype(np.float32)}, kind, FIELDS),
    }


def orders(draw: np.random.Generator) -> dict[str, onnxruntime.InferenceSession]:
    """Ways to bring the columns of two lookups, a third and two thirds of the fields, into the fields' order."""
    width, second = FIELDS * DIM, [field for field in range(FIELDS) if field % 3 == 1]
    first = [field for field in range(FIELDS) if field % 3 != 1]
    place = {field: index for index, field in enumerate([*first, *second])}
    columns = np.array([DIM * place[field] + dim for field in range(FIELDS) for dim in range(DIM)], dtype=np.int32)
    cut = DIM * len(first)
    parts = [
        NODE("Split", ["ids", "parts"], ["first", "second"], axis=1),
    ]
    names = [f"f{field}" for field in range(FIELDS)]
    runs = [
        *parts,
        NODE("Split", ["first", "of_first"], [names[field] for field in first], axis=1),
        NODE("Split", ["second", "of_second"], [names[field] for field in second], axis=1),
        NODE("Concat", names, ["y"], axis=1),
    ]
    gather = [
        *parts,
        NODE("Concat", ["first", "second"], ["joined"], axis=1),
        NODE("Gather", ["joined", "columns"], ["y"], axis=1),
    ]
    shared: Arrays = {"parts": np.array([cut, width - cut])}
    of: Arrays = {"of_first": np.full(len(first), DIM), "of_second": np.full(len(second), DIM)}
    plain = [*parts, NODE("Concat", ["first", "second"], ["y"], axis=1)]
    return {
        "float": session(plain, shared, TensorProto.FLOAT, width),
        "columns gathered one by one": session(gather, {**shared, "columns": columns}, TensorProto.FLOAT, width),
        "runs cut out and joined": session(runs, {**shared, **of}, TensorProto.FLOAT, width),
    }


def layers(draw: np.random.Generator, inputs: int, outputs: int) -> dict[str, onnxruntime.InferenceSession]:
    """Ways to run one linear layer."""
    weight = (draw.standard_normal((outputs, inputs)) / 30).astype(np.float32)
    scale = (np.abs(weight).max(1) / 127).astype(np.float32)
    shared: Arrays = {
        "q": np.round(weight / scale[:, None]).astype(np.int8).T.copy(), "s": scale,
        "z": np.array(128, np.uint8), "xs": np.array(0.03, np.float32),
        "b": draw.standard_normal(outputs).astype(np.float32),
    }  # fmt: skip
    quantize = NODE("QuantizeLinear", ["ids", "xs", "z"], ["x"])
    pattern = [
        quantize,
        NODE("DequantizeLinear", ["x", "xs", "z"], ["xd"]),
        NODE("DequantizeLinear", ["q", "s", "wz"], ["wd"], axis=1),
        NODE("MatMul", ["xd", "wd"], ["m"]),
        NODE("Add", ["m", "b"], ["y"]),
    ]
    fused = NODE("MatMulIntegerToFloat", ["x", "q", "xs", "s", "z", "", "b"], ["y"], domain="com.microsoft")
    kind = TensorProto.FLOAT
    plain = NODE("Gemm", ["ids", "w", "b"], ["y"], transB=1)
    return {
        "float": session([plain], {"w": weight, "b": shared["b"]}, kind, inputs),
        "QDQ pattern": session(pattern, {**shared, "wz": np.zeros(outputs, np.int8)}, kind, inputs),
        "MatMulIntegerToFloat": session([quantize, fused], shared, kind, inputs),
        **by_row(shared, kind, inputs),
    }


def by_row(shared: Arrays, kind: int, inputs: int) -> dict[str, onnxruntime.InferenceSession]:
    """Ways to run a layer whose activations have a scale per row."""
    top = [
        NODE("Abs", ["ids"], ["size"]),
        NODE("ReduceMax", ["size", "axis"], ["largest"], keepdims=1),
        NODE("Max", ["largest", "least"], ["top"]),
        NODE("Div", ["ids", "top"], ["shares"]),
    ]
    integer = [
        *top,
        NODE("Mul", ["shares", "levels"], ["scaled"]),
        NODE("Round", ["scaled"], ["rounded"]),
        NODE("Cast", ["rounded"], ["codes"], to=TensorProto.INT8),
        NODE("MatMulInteger", ["codes", "q"], ["sums"]),
        NODE("Cast", ["sums"], ["products"], to=TensorProto.FLOAT),
        NODE("Mul", ["products", "s"], ["m"]),
        NODE("Mul", ["m", "top"], ["n"]),
        NODE("Add", ["n", "b"], ["y"]),
    ]
    fused = [
        *top,
        NODE("QuantizeLinear", ["shares", "step", "z"], ["codes"]),
        NODE("MatMulIntegerToFloat", ["codes", "q", "step", "s", "z", ""], ["m"], domain="com.microsoft"),
        NODE("Mul", ["m", "top"], ["n"]),
        NODE("Add", ["n", "b"], ["y"]),
    ]
    more: Arrays = {
        **{name: shared[name] for name in ("q", "s", "b")},
        "axis": np.array([1]), "least": np.array(1e-8, np.float32),
    }  # fmt: skip
    step: Arrays = {**more, "step": np.array(1 / 127, np.float32), "z": shared["z"]}
    return {
        "a scale per row, MatMulInteger of int8": session(
            integer, {**more, "levels": np.array(127, np.float32)}, kind, inputs
        ),
        "a scale per row, MatMulIntegerToFloat": session(fused, step, kind, inputs),
    }


def relative(sessions: dict[str, onnxruntime.InferenceSession], feed: NDArray[Any]) -> dict[str, Any]:
    """Median milliseconds, and the ratio to float of the same run."""
    times = interleaved({name: (one, Inputs(feed)) for name, one in sessions.items()}, RUNS)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    return {name: {"ms": value, "times_float": value / medians["float"]} for name, value in medians.items()}


def main() -> None:
    """Measures and stores."""
    draw = np.random.default_rng(0)
    ids = draw.integers(0, ROWS, (BATCH, FIELDS)).astype(np.int32)
    flat = draw.standard_normal((BATCH, FIELDS * DIM)).astype(np.float32)
    results = {
        "lookup_256x20x16": relative(tables(draw), ids),
        "order_256x20x16": relative(orders(draw), flat),
        **{
            f"linear_{wide}x{out}_batch_256": relative(
                layers(draw, wide, out), draw.standard_normal((BATCH, wide)).astype(np.float32)
            )
            for wide, out in ((320, 256), (624, 400))
        },
        "machine": machine(),
    }
    write_json(HERE / "results.json", results)
    for name, group in results.items():
        print(name, group)


if __name__ == "__main__":
    main()
