"""E-mail addresses as SMTP takes them, which is in ASCII.

A domain of other letters has an ASCII form, and is sent to in that: by IDNA 2008, as registries give domains out.
Django and Python know IDNA 2003 alone, in which faß.example is fass.example, which may be somebody else's. The part
before the @ has no such form. It needs SMTPUTF8 (RFC 6531) from every server on the way, which Django's SMTP backend
does not speak, so such an address is refused when it is typed.
"""

import idna

_MOST, _MOST_LOCAL = 254, 64  # characters in ASCII, by RFC 5321


def smtp_address(address: str) -> str:
    """The address in ASCII. Raises ValueError, with a sentence for whoever typed it, when it has no such form."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        odd = "".join(dict.fromkeys(sign for sign in local if not sign.isascii()))
        raise ValueError(
            f"E-mail cannot be sent to an address with “{odd}” before the @. Please use another one."
        )
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            raise ValueError(f"“{domain}” cannot be the domain of an e-mail address.") from None
    found = f"{local}@{domain}"
    if len(local) > _MOST_LOCAL or len(found) > _MOST:
        raise ValueError(
            f"This e-mail address is too long: {_MOST_LOCAL} characters before the @ and {_MOST} in all are possible."
        )
    return found
