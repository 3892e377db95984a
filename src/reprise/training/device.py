"""Set-up of the device that trains, and of Keras's precision, determinism and seed."""

import importlib.util
import logging
import os
import shutil
import warnings
from pathlib import Path

import keras

from reprise.training.devices import Kind, distribute

WITHOUT_GPU = "Keras sees no GPU, although this machine has one, and trains on the CPU"


def set_up(
    precision: str,
    deterministic: bool | None,
    jit_compile: bool,
    seed: int,
    distribution: Kind = "none",
) -> dict[str, str]:
    """Set up the device, and seed every later random choice of Keras.

    Args:
        precision: Name of a Keras dtype policy.
        deterministic: The same seed gives the same bits; None means on a CPU without XLA.
        jit_compile: Whether TensorFlow compiles the training step with XLA, which excludes op
            determinism. JAX always does, and is deterministic on a CPU.
        seed: 0 or more.
        distribution: How all devices share the work of models from here on.

    Returns:
        Device, backend and settings by name, for the run's tags.
    """
    is_jax = keras.backend.backend() == "jax"
    gpus = _gpus_of_jax(deterministic) if is_jax else _gpus()
    if not gpus and _has_nvidia():
        warnings.warn(f"{WITHOUT_GPU}.\n{_reason()}", stacklevel=2)
    if deterministic is None:
        deterministic = not gpus and (is_jax or not jit_compile)
    # Scoring several splits builds a function for each, which TensorFlow warns about.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if deterministic and not is_jax:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    count = distribute(distribution)
    return {
        "device": ", ".join(gpus) or f"CPU ({os.cpu_count()} cores)",
        "backend": keras.backend.backend(),
        "precision": precision,
        "deterministic": str(deterministic).lower(),
        "jit_compile": str(jit_compile or is_jax).lower(),
        **({"distribution": f"{distribution} over {count} devices"} if count > 1 else {}),
    }


def _gpus() -> list[str]:
    """Names of the visible GPUs; TensorFlow allocates their memory as it needs it."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, True)
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return [detail.get("device_name", "GPU") for detail in details]


def _gpus_of_jax(deterministic: bool | None) -> list[str]:
    """Names of the GPUs that JAX sees; TensorFlow, which feeds it, sees none from here on."""
    import jax
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    jax.config.update("jax_enable_x64", True)  # or the float64 of our metrics would be float32
    if deterministic:  # read when JAX looks for its devices, once in a process
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    return [one.device_kind for one in jax.devices() if one.platform != "cpu"]


def _has_nvidia() -> bool:
    return bool(shutil.which("nvidia-smi")) or any(Path("/proc/driver/nvidia/gpus").glob("*"))


def _reason() -> str:
    """Why Keras sees no GPU, most likely cause first, and what to do about it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in {"", "-1"}:
        return f"CUDA_VISIBLE_DEVICES is set to '{visible}', which hides it: unset it."
    if importlib.util.find_spec("nvidia") is None:
        return "The CUDA libraries are not installed in this environment: run `make setup` again."
    if not Path("/proc/driver/nvidia/version").exists():
        return "The NVIDIA kernel driver is not loaded: install it, or restart the machine."
    return (
        "The CUDA libraries and the driver are there, but do not fit each other:\n"
        "see `nvidia-smi`, update the driver, then run `make setup` again."
    )
