# -*- coding: utf-8 -*-
"""Mistakes that somebody could make in reading and writing checkpoints."""
from __future__ import absolute_import, division, print_function

CHECK = 'tests/test_checkpoint.py -k "not killed and not kill_ and not memory"'

MUTATIONS = [
    ('checksums of data not verified', 'checkpoint.py',
     'if name not in self._verified and masked_crc(raw) != entry.crc:', 'if False:',
     'tests/test_checkpoint.py -k damaged_data'),
    ('checksums of the index not verified', 'tensor_bundle.py',
     'if crc != masked_crc(memoryview(data)[block.pos:block.end + 1]):', 'if False:',
     'tests/test_checkpoint.py -k "hostile_table or damage_is_found"'),
    ('checksums not rotated', 'tensor_bundle.py', 'return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff',
     'return (crc + 0xa282ead8) & 0xffffffff', 'tests/test_checkpoint.py -k masked'),
    ('big-endian read as little-endian', 'tensor_bundle.py', "return entries, num_shards, '<>'[byteorder]",
     "return entries, num_shards, '<<'[byteorder]", 'tests/test_checkpoint.py -k big_endian'),
    ('overlapping variables pass', 'tensor_bundle.py', 'if before[0] == after[0] and after[1] < before[2]:',
     'if False:',
     'tests/test_checkpoint.py -k overlapping'),
    ('a varint one bit short', 'tensor_bundle.py', 'value |= (byte & 127) << shift', 'value |= (byte & 63) << shift',
     'tests/test_checkpoint.py -k "round_trip or many_and_long"'),
    ('a copy of Snappy one byte off', 'tensor_bundle.py', 'out.append(out[-offset])',
     'out.append(out[max(-offset - 1, -len(out))])', 'tests/test_checkpoint.py -k compress'),
    ('keys share nothing', 'tensor_bundle.py', 'key = key[:shared] + block.take(unshared).content()',
     'key = block.take(unshared).content()', 'tests/test_checkpoint.py -k "many_and_long or restart"'),
    ('a size that does not fit the shape passes', 'tensor_bundle.py',
     'size != num_elements(shape) * READABLE[dtype]:', 'size < 0:', 'tests/test_checkpoint.py -k hostile_entry'),
    ('arrays written as they lie in memory', 'checkpoint.py',
     "return np.asarray(array, array.dtype.newbyteorder('<'), order='C')", "return np.asarray(array, order='K')",
     'tests/test_checkpoint.py -k "views_are_saved or round_trip"'),
    ('a name given twice is written twice', 'checkpoint.py', 'if name in refused or name in seen or',
     'if name in refused or',
     'tests/test_checkpoint.py -k cannot_be_saved'),
    ('a shard outside the folder is opened', 'checkpoint.py', "re.match(r'[^/\\\\:\\0]+\\.safetensors\\Z', shard)",
     "re.match(r'.+\\.safetensors\\Z', shard)", 'tests/test_checkpoint.py -k shard'),
]
