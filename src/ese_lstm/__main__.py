"""``python -m ese_lstm``: the command ``ese``."""

import sys


def main() -> None:
    """Run the command of ``sys.argv``; an interrupt ends it with 130 from the first moment on."""
    try:
        from .cli.main import main as ese

        ese()
    except KeyboardInterrupt:  # while modules are loaded; later ones come to ese itself
        sys.exit(130)


if __name__ == "__main__":
    main()
