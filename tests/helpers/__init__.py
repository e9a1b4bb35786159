# -*- coding: utf-8 -*-
"""What the tests, the parity harness and the benchmarks share, and is no test."""
