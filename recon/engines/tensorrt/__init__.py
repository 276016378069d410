"""TensorRT: one way to run a plan, three ways to come by one."""
