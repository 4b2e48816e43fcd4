"""One call of helm: its arguments, its namespace and its connection to the cluster."""

from __future__ import annotations

from sandbox.protocol.call import Call
from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Session, Unreachable, reach
from sandbox.standins.go.flags import Words
from sandbox.standins.helm.chart import HelmError
from sandbox.world.state import World


class Helm:
    """One command with its context."""

    def __init__(self, call: Call, world: World, parsed: Words) -> None:
        self.call, self.world, self.parsed = call, world, parsed
        self._session: Session | None = None

    @property
    def namespace(self) -> str:
        """The namespace from -n, HELM_NAMESPACE, the context, or `default`."""
        named = self.parsed.value("namespace") or self.call.env.get("HELM_NAMESPACE", "")
        if named:
            return named
        try:
            config = kubeconfig.load(self.call, self.parsed.value("kubeconfig"))
        except kubeconfig.Broken:
            return "default"
        return config.namespace(self._context(config)) or "default"

    def sets(self) -> list[tuple[str, str]]:
        """All --set values in Helm's order: json, plain, string, file."""
        kinds = ("set-json", "set", "set-string", "set-file")
        return [(kind, text) for kind in kinds for text in self.parsed.values(kind)]

    def session(self) -> Session:
        """The connection to the cluster. Raises HelmError if it fails."""
        if self._session is not None:
            return self._session
        try:
            config = kubeconfig.load(self.call, self.parsed.value("kubeconfig"))
        except kubeconfig.Broken as why:
            raise HelmError(f"Kubernetes cluster unreachable: {why}") from None
        context = self._context(config)
        if context and context not in config.contexts:
            raise HelmError(f'Kubernetes cluster unreachable: context "{context}" does not exist')
        if not context:
            raise HelmError(
                'Kubernetes cluster unreachable: Get "http://localhost:8080/version": dial tcp 127.0.0.1:8080: connect: '
                "connection refused"
            )
        try:
            self._session = reach(self.world, self.call, config, context)
        except Unreachable as why:
            self.world.emit(self.call, why.stderr, error=True)
            text = why.text if why.kind == "unauthorized" else f'Get "{config.server(context)}/version": {why.text}'
            raise HelmError(f"Kubernetes cluster unreachable: {text}") from None
        if self._session.role == "none":
            raise HelmError(
                f'query: failed to query with labels: secrets is forbidden: User "{self._session.name}" cannot list resource '
                f'"secrets" in API group "" in the namespace "{self.namespace}"'
            )
        return self._session

    def _context(self, config: kubeconfig.Kubeconfig) -> str:
        return self.parsed.value("kube-context") or self.call.env.get("HELM_KUBECONTEXT", "") or config.current
