"""The running service: receiver, assembler and worker, each a process of its own, and their supervisor."""
