"""What the AADSTS codes of Entra mean: https://learn.microsoft.com/entra/identity-platform/reference-error-codes."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core.repository import LOCAL_SETTINGS, SETTINGS

LOGIN = "inv aks.login"


@dataclass(frozen=True)
class Refusal:
    """What an AADSTS code of Entra means."""

    why: str
    fix: str = LOGIN
    login_helps: bool = True
    """A new login fixes it, in the way that `fix` names."""


AADSTS: dict[str, Refusal] = {
    "70043": Refusal("the login is older than the sign-in frequency that your company allows"),
    "700082": Refusal("the login was not used for 90 days"),
    "700084": Refusal("the login's lifetime has ended"),
    "50173": Refusal("the login was revoked (password changed, or sessions signed out)"),
    "50078": Refusal("the second factor of the login has expired"),
    "50076": Refusal("the second factor is asked for this resource"),
    "50079": Refusal(
        "the second factor must be set up first",
        f"set it up at https://aka.ms/mfasetup, then {LOGIN}",
        login_helps=False,
    ),
    "53003": Refusal(
        "Conditional Access blocks this sign-in; often it blocks the device code flow", f"{LOGIN} --mode browser"
    ),
    "530003": Refusal("Conditional Access wants a managed device", f"on a managed device: {LOGIN} --mode browser"),
    "53000": Refusal("Conditional Access wants a compliant device", f"on a compliant device: {LOGIN} --mode browser"),
    "50005": Refusal(
        "Conditional Access does not allow this platform", f"on an allowed platform: {LOGIN} --mode browser"
    ),
    "50097": Refusal("the device must be authenticated", f"on a registered device: {LOGIN} --mode browser"),
    "65001": Refusal(
        "this application has no consent in the tenant",
        "ask an administrator of the tenant for consent",
        login_helps=False,
    ),
    "50105": Refusal(
        "you are not assigned to this application",
        "ask an administrator of the tenant to assign you",
        login_helps=False,
    ),
    "50020": Refusal(
        "this account is not in the tenant",
        f"with an account of the tenant in {SETTINGS} (azure.tenant): {LOGIN}",
    ),
    "50126": Refusal("the login was declined, or the password was wrong"),
    "50034": Refusal(
        "this account does not exist in the tenant",
        f"with an account of the tenant in {SETTINGS} (azure.tenant): {LOGIN}",
    ),
    "90002": Refusal("the tenant does not exist", f"correct azure.tenant in {LOCAL_SETTINGS}", login_helps=False),
    "700016": Refusal(
        "the application is not in this tenant", "correct AZURE_CLIENT_ID or azure.tenant", login_helps=False
    ),
    "700024": Refusal(
        "the federated token has expired", f"let the pipeline fetch a new one, then {LOGIN}", login_helps=False
    ),
    "7000215": Refusal(
        "the secret of the service principal is wrong",
        f"put the right one into AZURE_CLIENT_SECRET, then {LOGIN}",
        login_helps=False,
    ),
    "7000222": Refusal(
        "the secret of the service principal has expired",
        f"make a new one, put it into AZURE_CLIENT_SECRET, then {LOGIN}",
        login_helps=False,
    ),
    "70016": Refusal("the device code was not entered yet"),
    "70020": Refusal("the device code expired before it was entered"),
}


def login_helps(aadsts: str) -> bool:
    """Does a new login fix what Entra refused with this code? Unknown codes are not tried."""
    return aadsts in AADSTS and AADSTS[aadsts].login_helps
