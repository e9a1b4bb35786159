# -*- coding: utf-8 -*-
"""Opens saved models in a fresh process, which test_saving.py starts, and writes what they do.

    python saved_model.py DIRECTORY RESULT          after `from bert4keras.layers import *` and nothing else
    python saved_model.py DIRECTORY RESULT --bare   with Keras alone

Every model in DIRECTORY gets the arrays of its ids.npz. One called compiled.* is tested and trained on them too.
RESULT is an npz: FILE/outputs/0, 1, ..., FILE/losses; of a file that does not open, FILE/error.
"""
from __future__ import absolute_import, division, print_function

import glob
import os
import sys

import numpy as np

if '--bare' not in sys.argv:
    from bert4keras.layers import *  # noqa: F401,F403
if os.environ.get('TF_KERAS', '0') not in ('', '0'):
    from tensorflow import keras
else:
    import keras


def outputs_of(model, arrays):
    """What a model puts out for the ids, as a list of arrays."""
    outputs = model.predict_on_batch([arrays['token_ids'], arrays['segment_ids']])
    return [np.asarray(output) for output in (outputs if isinstance(outputs, list) else [outputs])]


def losses_of(model, arrays, steps=3):
    """The loss as it is, then that of each of some training steps."""
    batch = [arrays['token_ids'], arrays['segment_ids']], arrays['labels']
    return [float(model.test_on_batch(*batch))] + [float(model.train_on_batch(*batch)) for _ in range(steps)]


def main(directory, result, bare):
    """Opens every model of the directory and writes the result."""
    arrays = np.load(os.path.join(directory, 'ids.npz'))
    results = {}
    for path in sorted(glob.glob(os.path.join(directory, '*.h5')) + glob.glob(os.path.join(directory, '*.keras'))):
        name = os.path.basename(path)
        try:
            model = keras.models.load_model(path)
        except Exception as error:  # the class differs from Keras to Keras
            results[name + '/error'] = np.array('%s: %s' % (type(error).__name__, error))
            continue
        for index, output in enumerate(outputs_of(model, arrays)):
            results['%s/outputs/%d' % (name, index)] = output
        if name.startswith('compiled.') and not bare:
            results[name + '/losses'] = np.array(losses_of(model, arrays))
    if not bare and 'bert4keras.bert' in sys.modules:
        raise SystemExit('bert4keras.layers imported more than it says')
    np.savez(result, **results)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], '--bare' in sys.argv)
