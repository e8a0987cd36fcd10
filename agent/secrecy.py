"""Keeps card numbers, PINs and keys out of core dumps."""

import ctypes
import resource

_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """No core of this process is ever written, by the kernel or by a program it would pipe it to.

    No other process of the same user may read its memory from now on. The limit is inherited, the rest is not.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def core_dumps_forbidden() -> bool:
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
