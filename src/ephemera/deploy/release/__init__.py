"""From an image to machines that run it, with the release before it serving until they do.

```
 image, fly.toml ─► wanted ─┐
                            ├─► plan: steps ─► rollout: does them ──► taken: the old ones go
 machines that are there ───┘                      │ anything fails, or Ctrl-C
                                                   └─► the steps undone, last first
```

What is to be done with which machine is decided by functions that do nothing (`plan`, `steps`,
`health`, `mending`); `doing` has one small method for each kind of step. Only the Machines API is
used, so it is the same on Fly.io. Begin with `plan.py`.
"""
