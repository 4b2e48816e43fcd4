"""An outside world in a folder: stand-ins for the programs, one state server, an HTTP ingress. Used by no other part of tasks/."""
