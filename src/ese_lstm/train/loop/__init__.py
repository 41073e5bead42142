"""The loop of every training.

| module | what |
|---|---|
| ``trainer`` | steps, learning rate, masks on their schedule, reports, resuming |
| ``checkpoint`` | everything that resuming needs, in one file |
"""
