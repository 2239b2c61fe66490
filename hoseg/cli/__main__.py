"""``python -m hoseg.cli``: the command line without its script."""

from hoseg.cli.app import main

if __name__ == "__main__":
    main()
