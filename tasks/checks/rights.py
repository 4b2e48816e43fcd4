"""A right in the cluster, and the question whether this login has it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core.config.settings import Settings
from tasks.tools import kubectl


@dataclass(frozen=True)
class Right:
    """A verb on a resource."""

    verb: str

    resource: str
    """A resource such as `deployments.apps`, or TYPE/NAME."""

    subresource: str = ""

    @property
    def text(self) -> str:
        """The right in words: "create pods/portforward"."""
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''}"

    def is_granted(self, s: Settings, namespace: str) -> bool:
        """Ask the cluster. Raises ToolError when it does not answer."""
        return kubectl.can_i(s, self.verb, self.resource, namespace=namespace, subresource=self.subresource)

    def access(self, namespace: str) -> kubectl.Access:
        """Return the right in this namespace, for `kubectl.may`, which asks for several at once."""
        return kubectl.Access(self.verb, self.resource, namespace, self.subresource)

    def command(self, s: Settings, namespace: str) -> str:
        """Return the question as a command of kubectl."""
        question = (
            f"kubectl --context {s.cluster.context} auth can-i {self.verb} {self.resource} --namespace {namespace}"
        )
        return question + (f" --subresource={self.subresource}" if self.subresource else "")
