"""The widgets of the board, one a module with its TCSS beside it: they show what they are given and fetch nothing."""
