"""The contract between software and hardware: everything imports it, it imports nothing of ours.

| module | holds |
|---|---|
| ``config``, ``shell`` | dimensions of the engine and of the AXI shell around it, and presets |
| ``settings``, ``errors`` | what every configuration is; the error of all bad input |
| ``cells`` | cell types as data: the rows of a unit, and what becomes of them |
| ``formats``, ``tables`` | number formats; σ and tanh as tables |
| ``layout`` | bits of every word that software writes and hardware reads |
| ``timing`` | latencies and depths that hardware and cycle model share |
| ``program`` | a network as tiles: segments, epilogues, the layer of each |
| ``image``, ``manifest``, ``sections`` | the packed image, what it says of itself, its parts |
| ``coded``, ``huffman`` | entries stored as Huffman codes, and the codes |
| ``frames`` | features to the integers of an image's input, results back to real numbers |
| ``packets`` | frames, results and images as packets on the shell's streams |
| ``registers``, ``register_files`` | the register map; as C, Python and Markdown |
| ``counters``, ``identity`` | the counters; what an engine says of itself in its registers |
| ``memory`` | how fast an external memory answers |
| ``published`` | figures that others published, ESE's above all |
| ``files`` | output files, all or nothing |
"""
