# -*- coding: utf-8 -*-
"""Opens saved models in a fresh process, which test_saving.py starts, and writes what they do.

    python saved_model.py RESULT FILES...          after `from bert4keras.layers import *` and nothing else
    python saved_model.py RESULT FILES... --bare   with Keras alone

Every model gets the ids of arrays.npz beside it; one called compiled.* is then fitted to its labels.
RESULT is an npz: FILE/outputs/0, 1, ..., FILE/losses; of a file that does not open, FILE/error.
"""
from __future__ import absolute_import, division, print_function

import os
import sys

import numpy as np

if '--bare' not in sys.argv:
    from bert4keras.layers import *  # noqa: F401,F403
if os.environ.get('TF_KERAS', '0') not in ('', '0'):
    from tensorflow import keras
else:
    import keras

EPOCHS = 20


def outputs_of(model, ids):
    """What a model returns for (token ids, segment ids), as a list of arrays; at once where that Keras can."""
    if hasattr(keras, 'ops'):
        outputs = keras.tree.map_structure(keras.ops.convert_to_numpy, model(list(ids), training=False))
    else:
        outputs = model.predict_on_batch(list(ids))
    return [np.asarray(output) for output in (outputs if isinstance(outputs, list) else [outputs])]


def main(result, paths, bare):
    """Opens every file and writes the result."""
    results = {}
    for path in paths:
        arrays = np.load(os.path.join(os.path.dirname(path), 'arrays.npz'))
        ids, name = [arrays['token_ids'], arrays['segment_ids']], os.path.basename(path)
        try:
            model = keras.models.load_model(path)
        except Exception as error:  # of another class on every Keras
            results[name + '/error'] = np.array('%s: %s' % (type(error).__name__, error))
            continue
        for index, output in enumerate(outputs_of(model, ids)):
            results['%s/outputs/%d' % (name, index)] = output
        if name.startswith('compiled.'):
            fitted = model.fit(ids, arrays['labels'], batch_size=len(ids[0]), epochs=EPOCHS, verbose=0)
            results[name + '/losses'] = np.array(fitted.history['loss'])
    if not bare and 'bert4keras.bert' in sys.modules:
        raise SystemExit('bert4keras.layers imported more than it says')
    np.savez(result, **results)


if __name__ == '__main__':
    main(sys.argv[1], [argument for argument in sys.argv[2:] if argument != '--bare'], '--bare' in sys.argv)
