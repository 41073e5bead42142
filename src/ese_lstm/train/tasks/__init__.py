"""What a training learns.

| module | what |
|---|---|
| ``distill`` | to answer as a dense network does, without labels |
"""
