"""What a training learns.

| module | what |
|---|---|
| ``task`` | what the loop needs to know of a task: loss, evaluation, settings |
| ``classify`` | phones of frames, from labels |
| ``distill`` | to answer as a dense network does, without labels |
| ``student``, ``targets`` | the network that learns so, and what it learns from |
"""
