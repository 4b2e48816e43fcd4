"""The Telepresence session: open it with the session kubeconfig, notice when it is lost, end it without loss."""

from tasks.flows.session.connect import (
    Look,
    allowed,
    connect_changes,
    ensure,
    look,
    mine,
    prepare,
    settled,
    still_holds,
)

__all__ = ["Look", "allowed", "connect_changes", "ensure", "look", "mine", "prepare", "settled", "still_holds"]
