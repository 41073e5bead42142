"""What results are shown with.

| module | what |
|---|---|
| ``table`` | a table, for terminals, documents and pages; files of figures |
| ``charts`` | charts as SVG |
| ``html`` | parts of a self-contained page |
| ``versions`` | of Python and of packages that figures depend on |
"""
