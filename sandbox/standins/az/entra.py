"""Entra's AADSTS errors, which faults switch on."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sandbox.standins.az.parser import AzError

# The texts of 70043, 700082, 50076, 50173, 53003, 70020, 50126 and 7000215 are recorded. Of the others only the code is real.
_TEXTS = {
    "70043": "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token "
    "was issued on {issued} and the maximum allowed lifetime for this request is 43200.",
    "700082": "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for "
    "90.00:00:00.",
    "50173": "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
    "changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before which "
    "tokens are not valid) for this user is '{issued}'.",
    "700084": "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of "
    "1.00:00:00, which cannot be extended. It is now expired.",
    "50078": "Presented multi-factor authentication has expired due to policies configured by your administrator, you must "
    "refresh your multi-factor authentication to access '{resource}'.",
    "50076": "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
    "use multi-factor authentication to access '{resource}'.",
    "50079": "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
    "enroll in multi-factor authentication to access '{resource}'.",
    "53003": "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    "530003": "Your device is required to be managed to access this resource.",
    "53000": "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and "
    "the device is not compliant.",
    "50005": "User tried to log in to a device from a platform (Unknown) that's currently not supported through Conditional "
    "Access policy.",
    "65001": "The user or administrator has not consented to use the application with ID "
    "'04b07795-8ddb-461a-bbee-02f9e1bf7b46' named 'Microsoft Azure CLI'.",
    "50105": "Your administrator has configured the application to block users unless they are specifically granted "
    "('assigned') access to the application. The signed in user '{user}' is blocked.",
    "90002": "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
    "correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for "
    "the tenant.",
    "50020": "User account '{user}' from identity provider 'live.com' does not exist in tenant '{tenant}' and cannot access "
    "the application.",
    "50034": "The user account does not exist in the {tenant} directory.",
    "70020": "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    "50126": "Error validating credentials due to invalid username or password.",
    "7000215": "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
    "the client secret ID, for a secret added to app '{user}'.",
    "7000222": "The provided client secret keys for app '{user}' are expired.",
    "700016": "Application with identifier '{user}' was not found in the directory '{tenant}'.",
    "700024": "Client assertion is not within its valid time range.",
    "700211": "No matching federated identity record found for presented assertion issuer.",
}
# These do not affect a login that happens while the fault is on; the others refuse a new login too.
MENDED_BY_LOGIN = ("70043", "700082", "50173", "700084", "50078", "50076", "50079")
BLOCKED = ("53003", "530003", "53000", "50005", "65001", "50105", "50020", "50034")
OF_ROBOTS = ("700024", "7000215", "7000222")
AT_TOKEN = MENDED_BY_LOGIN + BLOCKED + OF_ROBOTS


def error_description(code: str, **words: str) -> str:
    """Entra's error description for this code, with new ids and the current time."""
    now = datetime.now(UTC)
    words = {"issued": now.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"), "resource": "", "tenant": "", "user": "", **words}
    text = _TEXTS[code].format(**words)
    return (
        f"AADSTS{code}: {text} Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()} "
        f"Timestamp: {now:%Y-%m-%d %H:%M:%S}Z"
    )


def login_again(error: str, *, tenant: str = "", scope: str = "") -> AzError:
    """az's error for a login that must be repeated, with its hint."""
    words = ["az login"]
    if tenant:
        words.append(f'--tenant "{tenant}"')
    if scope:
        words.append(f'--scope "{scope}"')
    hint = (
        "Run the command below to authenticate interactively; additional arguments may be added as needed:\naz logout\n"
    )
    return AzError(f"{error}\n{hint}{' '.join(words)}")
