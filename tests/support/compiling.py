"""How XLA compiles in tests: in two thirds of the time, for code that runs for seconds only."""

from models.device.runtime import CPU_THREADS

QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
XLA_FLAGS = f"{CPU_THREADS['XLA_FLAGS']} {QUICKLY}"
XLA_FLAGS_OF_FOUR_DEVICES = f"--xla_force_host_platform_device_count=4 {XLA_FLAGS}"
