"""Container images as registries have them, for those who pull them and those who push.

```
 registries ─► registry ─► entrance ─► challenges, credentials     HTTP: logins, tokens, retries
     └─ trust, patience
 manifests ─► imageconfig, architectures     what documents mean; no I/O
 reference                                   what names mean; no I/O
```
"""
