# -*- coding: utf-8 -*-
"""The releases that keras-bert can download.
"""
from __future__ import absolute_import, division, print_function

import collections
import os
import shutil

from bert4keras.backend import keras

__all__ = ['PretrainedInfo', 'PretrainedList', 'get_pretrained']

PretrainedInfo = collections.namedtuple('PretrainedInfo', ['url', 'extract_name', 'target_name'])
_GOOGLE = 'https://storage.googleapis.com/bert_models/'


class PretrainedList(object):
    """Where the releases are that keras-bert knows."""

    __test__ = PretrainedInfo('https://github.com/CyberZHG/keras-bert/archive/master.zip', 'keras-bert-master',
                              'keras-bert')
    multi_cased_base = _GOOGLE + '2018_11_23/multi_cased_L-12_H-768_A-12.zip'
    chinese_base = _GOOGLE + '2018_11_03/chinese_L-12_H-768_A-12.zip'
    wwm_uncased_large = _GOOGLE + '2019_05_30/wwm_uncased_L-24_H-1024_A-16.zip'
    wwm_cased_large = _GOOGLE + '2019_05_30/wwm_cased_L-24_H-1024_A-16.zip'
    chinese_wwm_base = PretrainedInfo(
        'https://storage.googleapis.com/hfl-rc/chinese-bert/chinese_wwm_L-12_H-768_A-12.zip', 'publish',
        'chinese_wwm_L-12_H-768_A-12')


def get_pretrained(info):
    """Downloads and unpacks a release into Keras' directory of data sets, unless it is there.

    Args:
        info: URL of an archive, or PretrainedInfo(url, the directory in it, the name it is to get).

    Returns:
        path of the unpacked directory.
    """
    url = info.url if isinstance(info, PretrainedInfo) else info
    name = url.rsplit('/', 1)[-1]
    path = keras.utils.get_file(name, origin=url, extract=True)
    directory = path if os.path.isdir(path) else os.path.dirname(path)  # Keras 3 unpacks into one of its own
    if not isinstance(info, PretrainedInfo):
        return os.path.join(directory, name.split('.')[0])
    target = os.path.join(directory, info.target_name)
    if not os.path.exists(target):
        shutil.move(os.path.join(directory, info.extract_name), target)
    return target
