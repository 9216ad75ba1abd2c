"""`python -m stream.cli`."""

from stream.entry import main

main()
