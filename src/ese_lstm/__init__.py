"""ESE, the sparse-LSTM speech accelerator, as a generator."""
