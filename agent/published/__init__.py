"""What config/contract/ publishes, made from the code; `make contract` writes it.

Nothing here is part of the running agent.
"""
