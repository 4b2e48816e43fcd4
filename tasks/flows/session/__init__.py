"""The Telepresence session: open it with the session kubeconfig, notice when it is lost, end it without loss."""

from tasks.flows.session.connect import allowed, connect_changes, ensure, look, mine, prepare

__all__ = ["allowed", "connect_changes", "ensure", "look", "mine", "prepare"]
