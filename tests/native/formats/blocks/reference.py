"""Writes reference.json: random blocks and their elements by gguf (PyPI), llama.cpp's own Python
package.

    pip install gguf==0.19.0
    python reference.py > reference.json
    npx prettier --write reference.json
"""

import json
import random
import struct

import numpy
from gguf import GGMLQuantizationType
from gguf.quants import dequantize

# Format: blocks, bytes per block, places of its f16 scales.
FORMATS = {
    "F16": (32, 2, [0]),
    "BF16": (32, 2, []),
    "Q4_0": (2, 18, [0]),
    "Q4_1": (2, 20, [0, 2]),
    "Q5_0": (2, 22, [0]),
    "Q5_1": (2, 24, [0, 2]),
    "Q8_0": (2, 34, [0]),
    "Q4_K": (1, 144, [0, 2]),
    "Q5_K": (1, 176, [0, 2]),
    "Q6_K": (1, 210, [208]),
    "Q2_K": (1, 84, [80, 82]),
    "Q3_K": (1, 110, [108]),
    "IQ4_NL": (2, 18, [0]),
    "IQ4_XS": (1, 136, [0]),
    "MXFP4": (4, 17, []),
    "TQ2_0": (1, 66, [64]),
}

random.seed(4)
reference = {}
for name, (count, size, scales) in FORMATS.items():
    blocks = bytearray()
    for _ in range(count):
        block = bytearray(random.randbytes(size))
        for at in scales:
            block[at : at + 2] = struct.pack("<e", random.uniform(-0.1, 0.1))
        if name == "MXFP4":
            block[0] = random.randrange(118, 130)
        if name == "BF16":
            block[:] = struct.pack("<f", random.uniform(-2, 2))[2:]
        blocks += block
    data = numpy.frombuffer(bytes(blocks), dtype=numpy.uint8)
    if name == "F16":
        data = data.view(numpy.float16)
    elements = dequantize(data, GGMLQuantizationType[name]).flatten()
    reference[name] = {"blocks": blocks.hex(), "elements": [float(e) for e in elements]}
print(json.dumps(reference))
