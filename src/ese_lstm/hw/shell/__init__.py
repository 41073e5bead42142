"""The AXI shell around the engine.

| module | what |
|---|---|
| ``shell`` | the top |
| ``registers`` | the host's view |
| ``frame_unpack``, ``result_pack`` | packets to frames, results to packets |
| ``load_unit`` | load packets |
| ``memory_port`` | external memory |
| ``watchdog`` | tells a hang |
"""
