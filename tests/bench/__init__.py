"""What the board costs: bytes to the terminal, processor time, memory, waiting."""
