#!/usr/bin/env python3
"""What onnxruntime makes of the models that tests/nn/onnx.test.cpp writes.

  python3 -m pip install --target build/peers-onnx onnxruntime==1.17.3 onnx==1.15.0 'numpy<2'
  PRIVET_ONNX_OUT=tests/fixtures/onnx build/release/tests/test_nn "[oracle]"   writes tests/fixtures/onnx/*.onnx
  onnx_models.py fixtures       checks and runs them; their outputs become tests/fixtures/onnx_models.hpp
  onnx_models.py check FOLDER   runs the files of FOLDER; their outputs must be those of the fixtures

The files are checked by onnx.checker with full shape inference first, and refused if they ask for another opset than 13.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "build" / "peers-onnx"))

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as why:
    print(why)
    sys.exit(77)  # "skipped" to whoever asks

import header

NAMES = ["rows", "pictures", "flat_pictures", "own", "blocks", "normal", "steps", "words", "shared"]
WORDS = {"words": 9}  # models that read numbers of so many words
GATES = ["Reshape", "Gather", "Reshape"]  # in another order
LSTM, GRU = (["Reshape", "Transpose", *GATES, *GATES, "Concat", *GATES, *GATES, kind] for kind in ("LSTM", "GRU"))
OPERATORS = {
    "rows": ["Gemm", "Relu", "Gemm", "Tanh", "Gemm", "Sigmoid"],
    "pictures": ["Conv", "Relu", "MaxPool", "Conv", "Tanh", "AveragePool", "Flatten", "Gemm", "Softmax"],
    "flat_pictures": ["Reshape", "Conv", "Relu", "MaxPool", "Conv", "Tanh", "AveragePool", "Flatten", "Gemm"],
    "own": ["Gemm", "LeakyRelu", "Relu", "Mul", "Add", "Gemm"],
    "blocks": ["Reshape", "Conv", "Tanh", "Reshape", "Conv", "Add", "Conv", "Relu", "Conv", "Add", "Add", "Relu",
               "Flatten", "Tanh", "Gemm", "Add", "Gemm"],
    "normal": ["Reshape", "Conv", "Reshape", "InstanceNormalization", "Reshape", "Unsqueeze", "Mul", "Unsqueeze", "Add",
               "Relu", "BatchNormalization", "Flatten", "ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div",
               "Mul", "Add", "Gemm"],
    "steps": [*LSTM, "Transpose", "Flatten", *GRU, "Slice", "Transpose", "Flatten", "Gemm"],
    "shared": ["Reshape", "Conv", "Relu", "Conv", "Flatten", "Gemm", "Tanh", "Gemm", "Tanh", "Gemm", "Gemm"],
    "words": ["Cast", "Gather", "Flatten", *GRU, "Transpose", "Flatten", *LSTM, "Slice", "Transpose", "Flatten", "Gemm"],
}


def run(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    assert [n.op_type for n in model.graph.node] == OPERATORS[path.stem], [n.op_type for n in model.graph.node]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    assert shape[0] == "N" and session.get_outputs()[0].shape[0] == "N"
    many = 3
    count = many * int(np.prod(shape[1:]))
    i = np.arange(count, dtype="i8") * 37
    x = i % WORDS[path.stem] if path.stem in WORDS else (i % 129 - 64) / 64
    x = x.astype("f4").reshape(many, *shape[1:])
    (y,) = session.run(["output"], {"input": x})
    for i in range(many):  # alone as among others
        (one,) = session.run(["output"], {"input": x[i:i + 1]})
        assert np.allclose(one[0], y[i], rtol=0, atol=1e-6)
    return y.ravel()


def main():
    if sys.argv[1:] == ["fixtures"]:
        outputs = {name: run(ROOT / "tests/fixtures/onnx" / f"{name}.onnx") for name in NAMES}
        header.write(__file__, f"onnxruntime {onnxruntime.__version__}", "onnx_models", outputs)
    elif sys.argv[1:2] == ["check"] and len(sys.argv) == 3:
        for name in NAMES:
            ours = run(pathlib.Path(sys.argv[2]) / f"{name}.onnx")
            theirs = run(ROOT / "tests/fixtures/onnx" / f"{name}.onnx")
            assert np.abs(ours - theirs).max() < 1e-6, name
        print("onnxruntime agrees")
    else:
        sys.exit(__doc__)


main()
