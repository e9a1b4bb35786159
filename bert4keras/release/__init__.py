# -*- coding: utf-8 -*-
"""What a release looks like on disk: its config, its weights, its files. Needs NumPy only.

    config          the config, read and checked
    families        which layer holds which variable, and what each layout calls it: tables
    variables       a checkpoint's variables, by one set of names for every layout
    checkpoint      TensorFlow's checkpoints and safetensors, read and written
    tensor_bundle   the index of a TensorFlow checkpoint, byte by byte
    tf_weights      tf_model.h5, which TensorFlow models of transformers wrote
    directory       which file of a directory is what
"""

__all__ = ['checkpoint', 'config', 'directory', 'families', 'tensor_bundle', 'tf_weights', 'variables']
