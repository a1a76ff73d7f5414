"""Messages by which libraries say that there was too little memory. Nothing here needs torch."""

MESSAGES = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""Torch's, of a processor's memory and of the memory that its libraries use on a GPU."""
