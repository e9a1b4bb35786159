# -*- coding: utf-8 -*-
"""The tests, one module for each of the package's; helpers/ holds what is no test."""
