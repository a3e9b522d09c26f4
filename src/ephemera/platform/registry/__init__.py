"""The platform's own registry: apps' images are pushed to it, and machines have them from it.

```
 routes/registry, routes/uploads          HTTP: the distribution API at /v2/
   │
 Registry ── check_use, check_sight, prune, drop_app
   ├─ uploads       what is being sent
   ├─ holdings      what one app has: blobs, manifests, tags
   │    └─ pool     every file once, whoever has it
   ├─ documents     what a manifest refers to; no I/O
   ├─ collection    which of it nobody needs any more
   └─ source        the same for the platform's images, without HTTP
```

On the disk:

```
 pool/<hex>                          blobs and manifests by their digest, each once
 apps/<app id>/blobs/<hex>           those that the app has: hard links
 apps/<app id>/manifests/<hex>       the same of manifests
 apps/<app id>/tags/<name>/<tag>     the digest of a manifest; a slash in a name is a +
 unfinished/                         what is being written; emptied when a server starts
```

A file has its name there once the disk has all of it, and what a manifest needs is there before
it. So whatever is killed, and wherever, nothing that can be asked for is incomplete.
"""
