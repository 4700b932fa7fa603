-- prosody.cfg.lua - what Prosody 0.12 needs to stand behind Causeway; goes into /etc/prosody/prosody.cfg.lua.
-- Needs the package lua-unbound. The other half is prosody.yaml beside this file.

-- Every question for a remote domain goes to Causeway's inside DNS.
unbound = {
    resolvconf = false;
    hoststxt = false;
    forward = "10.0.0.5";
}

-- The inside leg is proved by dialback, which Causeway answers; TLS is what `servers` says in Causeway's settings.
modules_enabled = {
    -- all that is there already, and
    "dialback";
}
s2s_secure_auth = false
s2s_require_encryption = false -- with tls: none
s2s_allow_encryption = false   -- the same; spares it looking for direct TLS

-- One connection carries all remote domains, so the limit meant for one remote server is too small.
limits = {
    s2sin = { rate = "10mb/s" };
}
