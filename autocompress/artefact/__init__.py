"""From torch to the file that ships: ONNX with packed weights, the bundle around it, and the runtime that reads it."""
