# -*- coding: utf-8 -*-
"""What a release looks like on disk; needs NumPy only."""
