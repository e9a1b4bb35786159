# -*- coding: utf-8 -*-
"""Packaging: one py2.py3 wheel for every row, extras with floors, not pins."""
from __future__ import absolute_import, print_function

import io
import os
import re

from setuptools import find_packages, setup

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*names):
    """The text of a file beside this one."""
    with io.open(os.path.join(HERE, *names), encoding='utf-8') as stream:
        return stream.read()


setup(
    name='bert4keras',
    version=re.search(r"^__version__ = '(.+)'$", read('bert4keras', '__init__.py'), re.M).group(1),
    description='BERT for every Keras: official weights, the same numbers, Keras 2.3 to Keras 3',
    long_description=read('README.md'),
    long_description_content_type='text/markdown',
    license='MIT',
    packages=find_packages(include=['bert4keras', 'bert4keras.*']),
    package_data={'bert4keras': ['demo_corpus.txt', 'demo_queries.txt']},
    python_requires='>=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*',
    install_requires=['numpy', 'crc32c', 'tqdm>=4.57'],
    extras_require={
        'tensorflow': ['tensorflow>=1.13', 'keras>=2.3'],
        'jax': ['keras>=3', 'jax'],
        'torch': ['keras>=3', 'torch'],
        'sentencepiece': ['sentencepiece'],
        'demo': ['safetensors'],
        'plot': ['matplotlib', 'scikit-learn', 'adjustText>=1; python_version >= "3.8"'],
        'ray': ['ray[data]>=2.40; python_version >= "3.10"'],
        'beam': ['apache-beam>=2.60; python_version >= "3.10"'],
        'test': ['pytest>=4.6', 'pytest-timeout', 'pytest-xdist', 'hypothesis>=4.57', 'sentencepiece',
                 'safetensors; python_version >= "3.7"'],
    },
    entry_points={'console_scripts': ['bert4keras = bert4keras.cli:main']},
    options={'bdist_wheel': {'python_tag': 'py2.py3'}},
    classifiers=['Programming Language :: Python :: 2.7', 'Programming Language :: Python :: 3'],
)
