"""The small process that unpacks one layer. Standard library only, and zstd's where it is needed.

```
 stdin: the layer as it was sent
   │  a thread: digest ─► decompress ─► digest          two thirds of the work, without the GIL
   ▼
 tar ─► extract ─► files, in a root that is the layer's own folder
   ▼
 stdout: one line of JSON, how it ended
```

The process is contained before it reads a byte of the archive: its root is the folder, so there
is no name, link or race by which an entry could mean a file outside. What an archive may not
hold is refused all the same, and not only contained.
"""
