# -*- coding: utf-8 -*-
"""Scripts as people wrote them for earlier releases; tests/test_scripts.py runs them."""
