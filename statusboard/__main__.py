"""``python -m statusboard``."""

from statusboard.cli import main

if __name__ == "__main__":
    main()
