"""The Telepresence session: opened with the frozen kubeconfig, noticed when it is lost, ended without loss."""

from tasks.flows.session.connect import allowed, connect_changes, ensure, look, mine, prepare

__all__ = ["allowed", "connect_changes", "ensure", "look", "mine", "prepare"]
