"""The golden model: what the hardware computes, in numpy integers, and how long it takes.

| module | what |
|---|---|
| ``decode`` | an image to what is executed |
| ``check``, ``rows`` | that a program can run; that streamed rows can |
| ``model`` | frames through the program |
| ``arithmetic``, ``activation`` | the element-wise unit's steps |
| ``noise`` | what fixed point costs |
| ``cycles`` | when every column, entry and row happens |
| ``streaming``, ``fetch`` | the same with streamed weights |

It unpacks an image with its own code and imports nothing of ours but the contract, and of
:mod:`ese_lstm.sim` the trace and the rule for memory.
"""
