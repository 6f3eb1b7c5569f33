"""ONNX: networks out to other runtimes, and in from any framework."""
