# -*- coding: utf-8 -*-
"""What a process can say that reads a mapped file while somebody else truncates it.

The system sends it SIGBUS when it touches a byte that is gone. A handler of Python's module `signal` cannot help:
it runs after the instruction that touched the byte, which never ends. So the system is given a function in C's way,
which runs at once. It may say what happened, and must then end the process.
"""
from __future__ import absolute_import, division, print_function

import contextlib
import signal

__all__ = ['on_bus_error']


@contextlib.contextmanager
def on_bus_error(act):
    """Has `act(signal number)` called where SIGBUS would end the process; it must not return.

    Outside the context, and where the system has no such signal (Windows), everything is as it was.
    """
    try:
        import ctypes
        number, function = signal.SIGBUS, ctypes.CDLL(None).signal
    except (AttributeError, EnvironmentError, ImportError, TypeError):
        yield
        return
    function.argtypes, function.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(act)
    known = function(number, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        function(number, known)
