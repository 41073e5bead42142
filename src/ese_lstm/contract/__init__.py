"""The contract between software and hardware: everything imports it, it imports nothing of ours.

Configuration, number formats, σ/tanh tables, word layouts, programs, images and pipeline
latencies, each in one module.
"""
