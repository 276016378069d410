"""TensorRT: one way to run a plan, two ways to build one."""
