# -*- coding: utf-8 -*-
"""An HDF5 file, looked at before anything of it is read: it reads no other file, and asks for no more memory than
it has.
"""
from __future__ import absolute_import, division, print_function

import functools
import operator

from bert4keras.errors import CheckpointError
from bert4keras.files import MAX_JSON

__all__ = ['allowed_size', 'check_hdf5', 'count_bytes']


def allowed_size(size):
    """How many bytes a file of `size` bytes may unpack to; Keras compresses nothing."""
    return 2 * size + MAX_JSON


def check_hdf5(file, path, size):
    """CheckpointError for an open HDF5 file, of `size` bytes, that would read other files or fill the memory."""
    if count_bytes(file, path) > allowed_size(size):
        raise CheckpointError('%s says that it holds far more than its own size, unlike what Keras writes' % path)


def count_bytes(group, path, seen=()):
    """The bytes of the values in a group; CheckpointError for a part that is read from another file, or again."""
    import h5py
    seen = seen or set()
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:  # a link to a group around it makes ways without an end
        raise CheckpointError('%s has the group %s in more than one place, unlike what Keras writes'
                              % (path, group.name))
    seen.add(address)
    count = 0
    for name in group:
        link, place = group.get(name, getlink=True), '%s/%s' % (group.name.rstrip('/'), name)
        if not isinstance(link, h5py.HardLink):
            raise CheckpointError('%s is not opened: %s is a link, to another place or file; Keras writes none'
                                  % (path, place))
        found = group[name]
        if isinstance(found, h5py.Group):
            count += count_bytes(found, path, seen)
        elif isinstance(found, h5py.Dataset):
            if found.external or getattr(found, 'is_virtual', False):
                raise CheckpointError('%s is not opened: the values of %s are in other files; Keras keeps them in this '
                                      'one' % (path, place))
            count += functools.reduce(operator.mul, map(int, found.shape or ()), found.dtype.itemsize)
    return count
