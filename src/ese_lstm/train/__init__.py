"""Training on real speech: data, LSTMP training, pruning with retraining, evaluation.

| module | what |
|---|---|
| ``data`` | corpora, and the dataset folder that trainings read |
| ``loop`` | steps by truncated back-propagation, checkpoints, resuming |
| ``tasks`` | what is learned: phones from labels, or a dense network's answers |
| ``options`` | every setting with its default, rule and help |
| ``model``, ``lstmp``, ``tensors`` | the phone classifier, its LSTMP stack, their files |
| ``pruning``, ``sharing`` | masks, rounding and shared weights as parametrizations |
| ``calibration`` | frames that stand for the training set when formats are chosen |
| ``evaluate``, ``scoring`` | answers, float or bit-exact fixed point; FER, PER, confusion |
"""
