"""The running service: receiver, assembler, worker and deliverer, each a process of its own, and their supervisor."""
