"""The stand-in of kubelogin."""
