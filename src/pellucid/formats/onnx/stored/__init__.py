"""Files of ONNX, read with distrust: everything is checked before memory is taken."""
