"""The data plane: moves dead letters. Keeps no state of its own and decides nothing about declared objects."""
