"""The golden model: what the hardware computes, in numpy integers, and how long it takes.

It decodes a packed image with its own code and imports nothing but the contract.
"""
