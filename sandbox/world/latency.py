"""How long the stand-ins take, in seconds: as long as on a real AKS, as measured on one machine, or almost no time.

Deterministic. `real` has the seconds of the real programs as recorded (az 2.91.0, kubelogin 0.2.22, kubectl 1.34.4,
telepresence 2.31.0) with a cluster nearby; `aks` adds the way to a cluster and to an Azure far away.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Profile:
    """tools: seconds by `tool` and `tool verb verb`; the longest match counts. The other fields are delays in the cluster."""

    tools: dict[str, float] = field(default_factory=dict)
    connect: float = 0.05  # telepresence connect, from start to end, without the time of the credential plugin
    first_intercept: float = 0.12  # with a new pod, until ACTIVE
    intercept: float = 0.02  # with an agent in place
    gap: float = 0.3  # from the end of an evicted pod until the new one is ready
    rollout: float = 0.3  # until a patched Deployment has its new pod ready
    routed: float = 0.15  # from ACTIVE to routed on a first intercept; an eighth of it on later ones
    back: float = 0.05  # from `leave` until requests reach the baseline
    dead: float = 3.0  # how long a request to an ended client hangs

    def of(self, tool: str, argv: tuple[str, ...]) -> float:
        """The delay before one call answers."""
        words = [a for a in argv if not a.startswith("-")][:2]
        for count in range(len(words), -1, -1):
            key = " ".join((tool, *words[:count]))
            if key in self.tools:
                return self.tools[key]
        return 0.0


PROFILES = {
    "none": Profile(),
    "aks": Profile(
        tools={
            "az": 0.8,
            "az account": 0.8,
            "az account get-access-token": 0.8,
            "az login": 2.0,
            "az aks": 1.2,
            "az aks get-credentials": 2.0,
            "az acr": 2.0,
            "az version": 0.8,
            "kubelogin": 0.1,
            "kubectl": 0.3,
            "kubectl config": 0.05,
            "kubectl version": 0.15,
            "telepresence": 0.1,
            "docker": 0.1,
            "docker login": 0.6,
            "docker push": 2.0,
            "docker build": 2.0,
            "helm": 0.3,
            "helm upgrade": 3.0,
            "helm install": 3.0,
            "pnpm": 0.3,
            "pnpm install": 3.0,
            "tilt": 0.2,
        },
        connect=3.0,
        first_intercept=4.0,
        intercept=1.0,
        gap=2.0,
        rollout=3.0,
        routed=1.2,
        back=0.3,
    ),
    "real": Profile(
        tools={
            "az": 0.45,
            "az login": 1.2,
            "az aks": 0.7,
            "az aks get-credentials": 0.9,
            "az acr": 1.0,
            "kubelogin": 0.05,
            "kubectl": 0.1,
            "kubectl config": 0.05,
            "kubectl version": 0.1,
            "telepresence": 0.05,
            "telepresence connect": 0.0,  # the fields below have the whole time of these two
            "telepresence intercept": 0.0,
            "docker": 0.05,
            "docker login": 0.1,
            "docker push": 0.2,
            "docker build": 1.0,
            "helm": 0.1,
            "helm upgrade": 1.0,
            "helm install": 1.0,
            "pnpm": 0.3,
            "pnpm install": 3.0,
            "tilt": 0.1,
        },
        connect=2.5,
        first_intercept=0.9,
        intercept=0.1,
        gap=1.0,
        rollout=1.5,
        routed=0.4,
        back=0.1,
    ),
}
