"""`python -m modern_nets` — то же, что команда modern-nets: так её запускают torchrun и accelerate launch."""

import sys

from modern_nets.cli import main

if __name__ == "__main__":
    sys.exit(main())
