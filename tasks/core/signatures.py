"""Why a tool failed: patterns over its output, each with the cause and the command that fixes it.

The first match wins; general patterns come last. AADSTS codes are in `entra`, recordings in tests/data/contracts/.
"""

from __future__ import annotations

import re

from tasks.core.entra import AADSTS, LOGIN
from tasks.core.repository import LOCAL_SETTINGS, SETTINGS
from tasks.core.signature import Signature
from tasks.core.typed import with_more

SIGNATURES: tuple[Signature, ...] = (
    Signature(
        r"unknown command \"convert-kubeconfig\" for \"kubelogin\"|unknown command \"get-token\"|unknown flag: --(?:login|server-id)",
        "the kubelogin on PATH is int128's, not Azure's",
        "install Azure's kubelogin and put it first on PATH",
        see=("inv devcontainer.check", "says from where"),
    ),
    Signature(
        r"Please run .?'?az login'? to setup account|Please run \"az login\"|'az login' to setup",
        "nobody is logged in to Azure",
        LOGIN,
        ("az", "kubectl", "kubelogin", "telepresence"),
    ),
    Signature(
        r"does not exist in MSAL token cache|Can't find token from MSAL cache",
        "the Azure profile exists, but its token cache does not",
        LOGIN,
    ),
    Signature(
        r"executable kubelogin not found|exec: \"kubelogin\": executable file not found",
        "kubelogin is not installed",
        "install kubelogin, or rebuild the dev container",
        see=("inv devcontainer.check", "says from where"),
    ),
    Signature(
        r"Azure CLI not found on path|AzureCLICredential: .*executable not found",
        "az is not on PATH of kubelogin",
        "install az, or rebuild the dev container",
        see=("inv devcontainer.check", "says from where"),
    ),
    Signature(
        r"executable \S*(?:kubelogin|credential-helper) failed with exit code",
        "the Azure login could not give a token for the cluster",
        "inv aks.login",
    ),
    Signature(
        r"AuthorizationFailed.*listClusterUserCredential",
        "the role 'Azure Kubernetes Service Cluster User Role' is missing",
        "ask the owner of the cluster for it, then inv aks.login",
    ),
    Signature(
        r"AuthorizationFailed",
        "an Azure role is missing",
        "ask the owner of the resource group for it, then inv aks.login",
        general=True,
    ),
    Signature(
        r"ResourceGroupNotFound|\(ResourceNotFound\)",
        "this subscription has no such cluster or resource group",
        f"compare cluster.name, cluster.resource_group and azure.subscription in {SETTINGS}",
    ),
    Signature(
        r"Subscription '[^']*' not (?:found|recognized)|doesn't exist in cloud",
        "the subscription is not visible to this login",
        f"correct azure.subscription in {LOCAL_SETTINGS}, or inv aks.login with the right account",
    ),
    Signature(
        r"No subscriptions found",
        "the login has no subscription",
        "ask for access to the subscription, or log in to another tenant (azure.tenant)",
    ),
    Signature(
        r"symbolic link. Refusing|Device or resource busy.*\.kube",
        "az does not write a kubeconfig that is a link or a mounted file",
        "set KUBECONFIG to the real file",
    ),
    Signature(
        r"config\.lock: file exists|open \S+\.lock: file exists",
        "a killed kubectl or kubelogin left its lock",
        "remove the .lock file beside the kubeconfig when no kubectl is running",
    ),
    Signature(
        r"context was not found for specified context|context \"[^\"]*\" does not exist|kubeconfig has no context definition",
        "the kubeconfig that was given has no such context",
        "inv aks.credentials",
    ),
    Signature(
        r"Failed to load config: |telepresence \S+: error: yaml: ",
        "Telepresence's own configuration is broken",
        "correct ~/.config/telepresence/config.yml, or move it away",
        ("telepresence",),
    ),
    Signature(
        r"unable to dial root daemon",
        "the root daemon of an earlier connect did not start; it needs sudo without a password",
        "inv tp.quit; then allow sudo without a password (the dev container's user has it), and inv tp.connect",
        ("telepresence",),
    ),
    Signature(
        r"is already in use by intercept",
        "another intercept of this workstation uses the local port",
        "inv leave ends it; or take another port: --port",
        ("telepresence",),
    ),
    Signature(r"localhost:8080 was refused", "kubectl was given no context", "inv aks.credentials"),
    Signature(
        r"unable to load root certificates|unable to parse bytes as PEM|illegal base64 data",
        "a certificate in the kubeconfig is broken",
        "inv aks.credentials --force",
    ),
    Signature(
        r"Get \"https://(?P<host>[^/\"]+)/v2/\": (?:tls: .*)?x509: ",  # of Docker's engine, also through az acr login
        "Docker's engine does not know the certificate of {host}",
        "put the certificate into /etc/docker/certs.d/{host}/ca.crt, then inv aks.registry",
    ),
    Signature(
        r"x509: certificate signed by unknown authority|CERTIFICATE_VERIFY_FAILED",
        "the certificate is not known: the cluster was recreated, or a proxy intercepts TLS",
        "inv aks.credentials --force; behind a proxy set REQUESTS_CA_BUNDLE",
    ),
    Signature(
        r"no such host|Temporary failure in name resolution|Could not resolve host|Name or service not known",
        "the name does not resolve: no VPN, or the cluster is stopped or gone",
        "connect the VPN",
        see=("inv aks.status", "shows whether the cluster runs"),
    ),
    Signature(
        r"\d was refused|connection refused|the API server refused",
        "the API server does not answer: the cluster may be stopped",
        "inv aks.start, if it is stopped",
        see=("inv aks.status", "shows whether it is"),
    ),
    Signature(
        r"remove of unresponsive socket failed: remove (?P<socket>\S+): permission denied",
        "a root daemon of Telepresence that was killed has left its socket",
        "sudo rm {socket}",
        ("telepresence",),
    ),
    Signature(
        r"i/o timeout|Client\.Timeout exceeded|TLS handshake timeout|context deadline exceeded|network is unreachable",
        "the API server cannot be reached",
        "connect the VPN",
        see=("inv aks.status", "shows whether the cluster runs"),
    ),
    Signature(
        r"asked for the client to provide credentials|must be logged in to the server|authentication was rejected",
        "the cluster does not accept this login (other tenant, clock, or an old kubeconfig)",
        "inv aks.login, then inv aks.credentials --force",
    ),
    Signature(
        r"services \"traffic-manager\" is forbidden|unable to determine the traffic-manager namespace|pods/portforward.*forbidden",
        "your role in the traffic manager's namespace is missing (get services; get, list, watch pods; create pods/portforward)",
        "ask the platform team for it",
        see=("inv aks.check", "lists each right"),
        tools=("telepresence",),
    ),
    Signature(
        r"traffic manager not found",
        "there is no traffic manager in cluster.manager_namespace",
        "correct cluster.manager_namespace, or ask the platform team to install it",
        see=("inv aks.check", "looks"),
    ),
    Signature(
        r"traffic manager version .* is too old|more than 3 minor versions",
        "client and traffic manager are not compatible",
        f"install the client of the manager's version (telepresence.version in {SETTINGS})",
    ),
    Signature(
        r"netlink\.RuleAdd: operation not permitted|NewTunnelVIF.*not permitted",
        "the container lacks NET_ADMIN",
        'add "runArgs": ["--cap-add=NET_ADMIN"] to devcontainer.json and rebuild',
        see=("inv devcontainer.check", "looks"),
    ),
    Signature(
        r"/dev/net/tun",
        "the container has no /dev/net/tun",
        'add "--device=/dev/net/tun" to runArgs in devcontainer.json and rebuild',
        see=("inv devcontainer.check", "looks"),
    ),
    Signature(
        r"\"iptables\": executable file not found",
        "iptables is not installed",
        "sudo apt-get install iptables, or rebuild the dev container",
    ),
    Signature(
        r"failed to launch the daemon service|exec: \"sudo\": executable file not found|Need root privileges|sudo: a password is required",
        "the root daemon needs sudo without a password",
        "allow sudo without a password (the dev container's user has it), then inv tp.connect",
    ),
    Signature(
        r"Cluster configuration changed", "a session to another place is open", "inv tp.quit, then inv tp.connect"
    ),
    Signature(
        r"multiple daemons are running", "more than one Telepresence daemon runs", "inv tp.quit, then inv tp.connect"
    ),
    Signature(
        r"no active session|session cancelled|user daemon is not running|root daemon is not running",
        "the Telepresence session is gone",
        "inv tp.connect",
    ),
    Signature(
        r"telepresence-(?:daemon|connector)\.socket",
        "a dead daemon left its socket",
        "inv tp.quit; if it stays: sudo rm -f /run/telepresence-daemon.socket /tmp/telepresence-connector.socket",
    ),
    Signature(
        r"version mismatch\. Client|executable mismatch",
        "the running daemon is of another version than the client",
        "inv tp.quit, then inv tp.connect",
    ),
    Signature(
        r"onflict(?:s)? with (?:the currently|intercept)",
        "somebody else holds this intercept",
        "ask the holder, or set telepresence.slot for a personal intercept",
        see=("inv tp.who", "shows the holder"),
    ),
    Signature(
        r"global TCP/UDP intercepts and replaces are disabled",
        "the cluster allows personal intercepts only",
        f"set telepresence.slot in {LOCAL_SETTINGS}",
    ),
    Signature(
        r"while waiting for agent|DeadlineExceeded|the intercept timed out",
        "the Traffic Agent did not come up, or the login ran out meanwhile",
        "check the login with inv aks.login --check, the pod with kubectl get events",
    ),
    Signature(
        r"unable to find a default route",
        "this machine has no default route, and Telepresence before 2.31 needs one",
        "connect to a network, then inv tp.connect",
        ("telepresence",),
    ),
    Signature(
        r"overlaps with existing route",
        "a VPN or Docker network uses the cluster's addresses",
        "list that network under routing.allowConflictingSubnets in ~/.config/telepresence/config.yml, or change the local one",
    ),
    Signature(
        r"DOCKER_COMMAND_ERROR|Cannot connect to the Docker daemon|docker daemon running\?|failed to connect to the docker API",
        "no Docker engine answers",
        "start Docker, or rebuild the dev container with docker-outside-of-docker",
    ),
    Signature(
        r"permission denied.*docker.*sock",
        "you may not use the Docker socket",
        "sudo usermod -aG docker $(id -un), then log in again",
    ),
    Signature(
        r"docker-credential-\S+.*executable file not found",
        "the credential helper in ~/.docker/config.json is not installed",
        'remove "credsStore" from ~/.docker/config.json',
    ),
    Signature(
        r"pushing image .*(?:denied|unauthorized|authentication required)|unauthorized: authentication required",
        "the registry rejects the login: it has expired, or a role is missing (AcrPush)",
        "inv aks.registry",
        see=("inv aks.check", "shows the roles"),
        general=True,  # the registry's firewall and a role both end a push with `denied`
    ),
    Signature(
        r"CONNECTIVITY_REFRESH_TOKEN_ERROR|Access to registry .* was denied|Unable to authenticate using AAD",
        "your role on the registry is missing (AcrPull, AcrPush)",
        "ask the owner of the registry for AcrPush, then inv aks.registry",
    ),
    Signature(
        r"Could not connect to the registry login server|registry .* could not be found in (?:your|the) subscription",
        "no registry of this name answers",
        f"correct registry.host in {SETTINGS}, or connect the VPN",
    ),
    Signature(
        r"Looks like you don't have access to registry|client with IP .* is not allowed",
        "the registry's firewall does not allow this address",
        "connect the VPN, or ask the platform team to allow it",
    ),
    Signature(r"ERR_PNPM_NO_LOCKFILE", "there is no pnpm-lock.yaml", "pnpm install, then commit pnpm-lock.yaml"),
    Signature(
        r"ERR_PNPM_OUTDATED_LOCKFILE",
        "pnpm-lock.yaml does not match package.json",
        "pnpm install, then commit pnpm-lock.yaml",
    ),
    Signature(
        r"ERR_PNPM_BROKEN_LOCKFILE",
        "pnpm-lock.yaml is broken (often by a merge)",
        "git checkout pnpm-lock.yaml, then pnpm install",
    ),
    Signature(
        r"ERR_PNPM_META_FETCH_FAIL|ERR_PNPM_FETCH|ECONNREFUSED|ENOTFOUND",
        "the package registry does not answer",
        "look at the network and at .npmrc, then inv setup --only packages",
        ("pnpm",),
    ),
    Signature(
        r"is forbidden: User .* cannot \w+ resource \"(?P<kind>[\w./-]+)\" in API group \"gateway\.networking\.k8s\.io\"",
        "a right in the cluster is missing: Kubernetes' own role `edit` does not include {kind}",
        "ask the platform team to let developers edit {kind} (docs/access.md)",
    ),
    Signature(
        r"is forbidden: User .* cannot (?P<verb>\w+) resource \"(?P<kind>[\w./-]+)\" in API group \"[^\"]*\" "
        r"in the namespace \"(?P<namespace>[^\"]+)\"",
        "a right in the cluster is missing",
        "ask the platform team for the right to {verb} {kind} in {namespace}",
        see=("inv aks.check", "lists each right"),
    ),
    Signature(
        r"is forbidden: User",
        "a right in the cluster is missing",
        "ask the platform team for the role `edit` in the namespace",
        see=("inv aks.check", "lists each right"),
    ),
    Signature(
        r"no matches for kind \"(?P<kind>\w+)\" in version \"(?P<group>[^\"]+)\"",
        "the cluster does not know {kind} ({group})",
        "ask for it to be installed",
        see=("inv aks.check", "shows what the cluster lacks"),
    ),
    Signature(
        r"another operation \(install/upgrade/rollback\) is in progress",
        "a killed run left a Helm release pending",
        "inv tilt.down removes your own release; or helm rollback",
    ),
    Signature(
        r"Permission denied \(publickey|Host key verification failed",
        "the server does not accept your ssh key",
        "ssh-add -l shows your keys; or use the repository's https address",
        ("git",),
    ),
    Signature(
        r"\[remote rejected\] .*\((?P<reason>[^)]*)\)",
        "the server does not accept the push: {reason}",
        "push to a branch of your own and open a pull request; its rules are shown by: git push",
        ("git",),
    ),
    Signature(
        r"\[rejected\] .*\((?:non-fast-forward|fetch first)\)",
        "the branch on the server has commits that are not here",
        "git pull in that repository, git push, then run this again",
        ("git",),
    ),
    Signature(
        r"aborted by (?:the )?(?P<hook>[\w-]*) ?hook",
        "a hook of this repository refuses the change",
        "git config core.hooksPath and .git/hooks show the hooks; satisfy the one that refuses, then run this again",
        ("git",),
    ),
    Signature(
        r"could not read (?:Username|Password)|terminal prompts disabled|Authentication failed",
        "git has no login for this address",
        "log in once by hand, which keeps the login: git fetch; or use the repository's ssh address",
        ("git",),
    ),
    Signature(
        r"Could not resolve host|Failed to connect to|Connection (?:refused|timed out)",
        "the git server cannot be reached",
        "look at the network, the VPN and the proxy (git config http.proxy), then run this again",
        ("git",),
    ),
    Signature(
        r"repository '(?P<url>[^']+)' (?:does not exist|not found)|does not appear to be a git repository"
        r"|Repository not found|clone of '[^']+' into submodule path",
        "the repository does not exist at this address, or you may not read it",
        "ask for access, or correct the address: git submodule sync reads it from .gitmodules again",
        ("git",),
    ),
    Signature(
        r"failed to push some refs", "a pre-push hook may have refused it", "git push shows what it says", ("git",)
    ),
    Signature(r"[Nn]o space left on device", "the disk is full", "free some space, then run it again"),
    Signature(
        r"[Rr]ead-only file system|[Pp]ermission denied",
        "a file or folder may not be written",
        "look at the owner of the named path",
        see=("inv devcontainer.check", "looks at the volumes"),
        general=True,
    ),
)
_BY_SPECIFICITY = sorted(SIGNATURES, key=lambda signature: signature.general)


def explain(tool: str, said: str) -> tuple[str, str]:
    """Return why and fix for a tool's output; both empty when it is not known."""
    codes = re.findall(r"AADSTS(\d+)", said)
    for code in codes:
        if code in AADSTS:
            return f"{AADSTS[code].why} (AADSTS{code})", AADSTS[code].fix
    if codes:
        return (
            f"Azure AD refused (AADSTS{codes[0]})",
            f"look it up at https://login.microsoftonline.com/error?code={codes[0]}",
        )
    for signature in _BY_SPECIFICITY:
        if not signature.tools or tool in signature.tools:
            found = list(re.finditer(signature.pattern, said))
            if found:
                named = found[-1].groupdict()  # the error shows the last line too
                return signature.why.format(**named), with_more(signature.fix.format(**named), *signature.see)
    return "", ""
