"""The loop of every training.

| module | what |
|---|---|
| ``trainer`` | steps, learning rate, masks on their schedule, reports, resuming |
| ``timetable`` | which frames a step reads |
| ``exchange`` | where a step's gradients come from |
| ``checkpoint`` | everything that resuming needs, in one file |
"""
