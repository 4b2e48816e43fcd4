"""Edit a Tiltfile; what is not changed keeps every byte.

Importing these modules imports libcst (100 ms): phase 3 does so only when there is a Tiltfile to edit.
"""
