"""The command line. A command's module bears its name; the others are what commands share.

| module | what |
|---|---|
| ``main`` | the group, its help, and the one way out of every command |
| ``compress``, ``info``, ``simulate``, ``report`` | a network onto the engine |
| ``verilog``, ``registers``, ``device``, ``board``, ``synth`` | the engine itself |
| ``data``, ``train``, ``distill``, ``sensitivity``, ``evaluate`` | training |
| ``demo``, ``bench`` | measurements |
| ``options``, ``settings``, ``command_line`` | options that commands share; the line itself |
| ``outputs``, ``needs`` | what is checked first: files to be written, extras to be there |
| ``terminal``, ``show`` | standard output and error; the tables of several commands |
| ``frames``, ``estimate`` | frames from files; cycles at a memory's bandwidth |
| ``against``, ``loss``, ``knobs`` | what an image lost against its checkpoint, what would help |
| ``report_parts``, ``curves`` | sections of the report; points of error rates that it shows |
"""
