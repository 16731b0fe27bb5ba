"""The command line: one file per subcommand; everything heavy is imported when a command runs."""
