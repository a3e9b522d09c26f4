"""The private networks of machines on one computer (Linux, as root).

```
 this computer            the router, a network namespace of the platform          a machine
┌───────────────┐  veth  ┌───────────────────────────────────────────────┐  veth  ┌─────────┐
│ eph<home> ════╪════════╪═ uplink    resolver, API: fdaa::3    bridge ══╪════════╪═ eth0   │
│   NAT         │        │   NAT, nft               one for each network │        │         │
└───────────────┘        └───────────────────────────────────────────────┘        └─────────┘
```

`router` is what a driver owns: it makes the router and gives each machine its place (`Plug`).
`wiring` lays a machine's cable, in its monitor. `uplink` and `rules` are the way out, `numbers`
are the addresses, `names` and `resolver` answer what is asked for `.internal` names.

The router has no name and is mounted nowhere: it lives while a monitor lives in it, or the server
holds it, and goes with all its links, routes and rules when the last of them is gone. A server
that starts takes the one that its monitors live in. The one thing outside of it that would stay
is the nft table of the host, see `uplink`.

This package imports nothing of the platform, and `netlink`, `namespaces` and `wiring` nothing but
the standard library: every machine's monitor loads them.
"""
