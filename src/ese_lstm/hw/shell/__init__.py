"""The AXI shell around the engine: streams, registers, loading, external memory."""
