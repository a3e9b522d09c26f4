"""What a platform under test can be made to get wrong, and a clock that can be moved.

```
           ┌── Gate ──┐   ┌ FaultsOverHttp ┐   ┌─ routes ─┐   ┌ owners ┐   ┌ FaultyDriver ┐
 request ─►│ token    ├──►│ error, delay,  ├──►│          ├──►│ stuck  ├──►│ no image, no │─► driver
           └──────────┘   │ dropped, lost  │   └──────────┘   └────────┘   │ boot, lost   │
                          └───────▲────────┘                      ▲        └──────▲───────┘
                                  └───────────── Menu ────────────┴───────────────┘
```

Nothing of this is in a server that was not started with `--testing`. Faults and the clock's lead
live as long as the server. Tests use it through `ephemera.testing.faults`.
"""
