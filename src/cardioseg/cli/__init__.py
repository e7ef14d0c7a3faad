"""The command line: options in, lines and exit codes out; a command calls one workflow."""
