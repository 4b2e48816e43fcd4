"""The Telepresence session: opened with the frozen kubeconfig, noticed when it is lost, ended without loss."""

from tasks.steps.session.connect import connect_changes, ensure, look, mine, prepare

__all__ = ["connect_changes", "ensure", "look", "mine", "prepare"]
