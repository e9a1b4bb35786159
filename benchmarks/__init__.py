# -*- coding: utf-8 -*-
"""What using this project costs: `python -m benchmarks --help`."""
