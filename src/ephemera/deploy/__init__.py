"""From a folder of source to an app that runs: what a project is, its files, images, releases.

```
scan ─► launch ─► fly.toml, Dockerfile ─► build ─► release ─► machines
```

Nothing here knows the embedded platform: it is reached by the client, like Fly.io.
"""
