from pathlib import Path

import onnx
import pytest


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """A file that scores every id as twice itself."""
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["ids"], ["number"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Add", ["number", "number"], ["scores"]),
        ],
        "doubling",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT32, ["batch", 2])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", 2])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(proto, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"
