"""Following what happens: `hub` wakes those who wait, `follow` reads a run tree from a cursor on."""
