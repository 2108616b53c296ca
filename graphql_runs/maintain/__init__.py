"""Looking after whole stores: `copy` one into another, `check` what is in one."""
