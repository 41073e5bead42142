"""Recorded speech on an engine: six prompts share four channels, and every output is compared
with the golden model's. From the repository's root, with the extras ``compress,sim,demo``:

    python examples/speech_stream.py                     # the exported Verilog, simulated
    python examples/speech_stream.py xdma:/dev/xdma0     # a board
"""

import sys
from pathlib import Path

import numpy as np

from ese_lstm import Engine, compress_network, load_config, load_network, run_utterances
from ese_lstm.demo.fetch import fetch
from ese_lstm.demo.speech import features

sources = fetch(Path("build/data"))  # a checkpoint and recordings, by package name
speech = {name: features(path) for name, path in sources.prompts.items()}
heard = {name: speech.pop(name)[:12 + 4 * k] for k, name in enumerate(list(speech)[:6])}
image, _ = compress_network(load_network(sources.checkpoint), load_config("demo-32x4"), 0.1,
                            [mel[:160] for mel in speech.values()])  # formats: other prompts

outputs = {}
for backend in ("golden", *(sys.argv[1:] or ["rtl"])):
    with Engine.open(backend, timeout_s=60) as engine:
        engine.load(image)
        batch = run_utterances(engine, heard, order="longest")
        outputs[backend] = dict(batch)
        print(f"{backend}: {batch.report}")
for name in heard:
    same = np.array_equal(outputs[backend][name], outputs["golden"][name])
    print(f"{name}: {outputs[backend][name].shape} {'as golden' if same else 'DIFFERS'}")
