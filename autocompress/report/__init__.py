"""The front for people and programs: JSON, CSV, HTML, and the tables and progress of the terminal."""
