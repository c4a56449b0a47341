"""What the built-in sources truly share; like them it imports ``statusboard.api`` only."""
