"""What results are shown with.

- :mod:`table`: a table, for terminals, documents and pages; files of figures
- :mod:`charts`: charts as SVG
- :mod:`html`: parts of a self-contained page
- :mod:`versions`: of Python and of packages that figures depend on
"""
