"""The faults by name. A stand-in asks `world.fault(NAME)`; planting may also act at once (see planting.py)."""

from __future__ import annotations

# What Entra answers, by code. Words from public threads; a program should match the code and nothing else.
AADSTS = {
    "70043": "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. "
    "The token was issued on 2026-11-22T19:52:21.0000000Z and the maximum allowed lifetime for this request is 43200.",
    "700082": "The refresh token has expired due to inactivity. The token was issued on "
    "2026-08-01T08:00:00.0000000Z and was inactive for 90.00:00:00.",
    "50173": "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might "
    "have changed or reset their password.",
    "50076": "Due to a configuration change made by your administrator, or because you moved to a new location, you "
    "must use multi-factor authentication to access '6dae42f8-4368-4678-94ff-3960e28e3630'.",
    "50079": "Due to a configuration change made by your administrator, or because you moved to a new location, you "
    "must enroll in multi-factor authentication to access '6dae42f8-4368-4678-94ff-3960e28e3630'.",
    "53003": "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    "53000": "Device is not in required device state: compliant. Conditional Access policy requires a compliant device.",
    "530003": "Your device is required to be managed to access this resource.",
    "50005": "User tried to log in to a device from a platform that's currently not supported through Conditional "
    "Access policy.",
    "700024": "Client assertion is not within its valid time range.",
    "7000215": "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.",
    "50020": "User account from identity provider does not exist in tenant and cannot access the application.",
}

FAULTS: dict[str, str] = {
    **{f"login-{code}": f"Entra refuses every token with AADSTS{code}" for code in AADSTS},
    **{
        f"login-{code}": f"Entra answers AADSTS{code} ({text})"
        for code, text in {
            "700084": "the login of a single page app ran out",
            "50078": "multi-factor authentication ran out",
            "65001": "no consent to the Azure CLI",
            "50105": "not assigned to the application",
            "50034": "no such user in the tenant",
            "7000222": "the service principal's secret ran out",
        }.items()
    },
    "cluster-token-50076": "Entra refuses only the token for the cluster (MFA); ARM works",
    "device-code-unanswered": "nobody types the code of `az login --use-device-code`",
    "device-code-expired": "the device code ran out",
    "device-code-declined": "the person declined the device code",
    "device-code-blocked": "Conditional Access forbids the device code (AADSTS53003)",
    "browser-unanswered": "nobody ends the login in the browser",
    "registry-role": "no role on the registry: AcrPull and AcrPush are missing",
    "release-stuck": "the next helm release is killed half way and stays pending",
    "login-gone": "nobody is logged in to az",
    "no-subscription": "the login has no subscription",
    "az-missing": "az is not installed",
    "kubelogin-missing": "kubelogin is not installed",
    "kubelogin-wrong": "kubelogin is int128's program of the same name",
    "kubectl-missing": "kubectl is not installed",
    "telepresence-missing": "telepresence is not installed",
    "pnpm-missing": "pnpm is not installed",
    "helm-missing": "helm is not installed",
    "tilt-missing": "tilt is not installed",
    "docker-missing": "the docker client is not installed",
    "docker-no-engine": "docker is there, its engine is not",
    "docker-forbidden": "the developer may not use the Docker engine (socket permission)",
    "cluster-stopped": "the AKS cluster is stopped: its name no longer resolves",
    "dns": "no name resolves, neither of the cluster nor of Azure",
    "api-refused": "the API server refuses connections",
    "api-silent": "the API server does not answer",
    "manager-missing": "no traffic manager in the cluster",
    "manager-old": "the traffic manager is 2.14.0",
    "rbac": "the developer has no role in the cluster",
    "rbac-manager": "the developer has no right in the traffic manager's namespace",
    "arm-denied": "no role for `az aks get-credentials` and `az acr`",
    "net-admin-missing": "the container lacks CAP_NET_ADMIN",
    "tun-missing": "/dev/net/tun is missing",
    "iptables-missing": "iptables is not installed",
    "stale-sockets": "a container restart left the telepresence daemons' sockets and cache without their processes",
    "session-lost": "the telepresence daemons died (kill -9) and hold what they intercepted",
    "status-lies": "telepresence status says not running although the daemon lives (root in a container, 2.31)",
    "conflict": "a colleague intercepts the first catalogue service for everybody",
    "agent-never": "pods with a traffic-agent never become ready",
    "env-file-fails": "writing the pod's environment fails after the intercept exists",
    "registry-refused": "the registry refuses every login and push",
    "registry-firewall": "the registry does not allow this IP address",
    "packages-refused": "the package registry refuses connections",
    "slow-tools": "every tool takes 2 s longer",
    "hanging-az": "az never answers",
    "hanging-kubectl": "kubectl never answers",
    "hanging-telepresence": "telepresence never answers",
    "hanging-kubelogin": "kubelogin never answers",
    "hanging-docker": "docker never answers",
    "hanging-pnpm": "pnpm never answers",
    "argo-wide-rule": "Argo CD ignores all annotations of the pod template, and its syncs respect that",
    "argo-no-rule": "Argo CD ignores no annotation",
    "argo-drift": "workloads differ from git while Argo CD self-heals",
    "argo-missing": "Argo CD is not in the cluster",
    "agent-orphaned": "a pod carries a traffic-agent, its traffic manager is gone",
    "agent-wrong-manager": "a pod's traffic-agent obeys a traffic manager of another namespace",
    "quota-missing": "the team's namespace has no ResourceQuota",
    "quota-full": "the team's ResourceQuota is used up",
    "components-missing": "Keycloak, Redis and the PostgreSQL operator are not installed",
    "platform-unreadable": "the developer may not look into Argo CD's and the gateway's namespaces",
    "pools-dear": "the node pool is at full price, of the D-series, and does not follow the load",
    "disk-full": "every write of a tool fails for want of space",
    "home-read-only": "HOME cannot be written",
    "production-labels": "the developer's namespace is labelled as production",
    "labels-unreadable": "the developer may not read the namespace's labels",
}
