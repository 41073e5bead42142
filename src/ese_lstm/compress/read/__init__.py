"""Files of trained networks to a :class:`network.Network`, without executing code from them.

| module | what it does |
|---|---|
| ``checkpoint`` | a file to its network, or to one per layer and direction |
| ``reader`` | what a reader of a format is |
| ``formats`` | the readers, one module a format, and which one a file needs |
| ``names`` | which of our tensors each name of a file means |
| ``parts`` | which recurrent part of a file is the network |
| ``state_dict`` | the tensors of a part to layers |
| ``left`` | what is left to the host, and what must not be |
"""
