"""Sphinx configuration for Quern's manual."""
project = 'Quern'
copyright = 'the Quern developers'
extensions = []
master_doc = 'index'
html_theme = 'alabaster'
exclude_patterns = ['_build']
