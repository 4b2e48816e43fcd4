"""The credential helper of a session's kubeconfig: a kept token while it is good, else the token of the real plugin.

These files are copied into the session's folder and run there as `python3 -I -S`, by every kubectl, helm, Tilt and
Telepresence. So they import nothing of the suite, and `cached` only what starts in a few milliseconds.
"""
