"""Writes the copy of a GGUF file with its weights in f32: `python in_f32.py FROM TO`.

llama.cpp computes with it without rounding the input of its products. Run with gguf 0.19.0 of
PyPI, which `cargo xtask parity` installs.
"""

import sys

import numpy
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

source = GGUFReader(sys.argv[1])
copy = GGUFWriter(sys.argv[2], source.fields["general.architecture"].contents())
# Of the first kind the reader makes its own, the others the writer knows itself.
PASSED_OVER = ("GGUF.", "general.architecture", "general.file_type")
for key, field in source.fields.items():
    if not key.startswith(PASSED_OVER):
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        copy.add_key_value(key, field.contents(), kind, inner)
for tensor in source.tensors:
    shape = tuple(int(size) for size in reversed(tensor.shape))
    elements = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
    copy.add_tensor(tensor.name, elements.reshape(shape))
copy.write_header_to_file()
copy.write_kv_data_to_file()
copy.write_tensors_to_file()
copy.close()
