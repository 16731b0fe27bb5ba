"""The help texts, 80 columns wide. Nothing heavy is imported, so that they answer at once."""

import textwrap

from autocompress.config.folders import groups

SUBCOMMANDS = {
    "search": "search compressed models; the default",
    "rows": "write a split's rows, as they are before encoding",
    "predict": "score rows with one artefact",
    "measure": "measure one artefact again on this machine",
}

_MAIN = """\
autocompress: give it your logs and a big model, it gives back the Pareto front
of ONNX files you can deploy, each measured on the very file.

usage: python -m autocompress [subcommand] [overrides]

{subcommands}

`python -m autocompress SUBCOMMAND --help` tells more.

Config groups (GROUP=OPTION; your ./conf/GROUP/x.yaml and ./search_spaces/x.yaml
come before ours):
{groups}

Overrides are Hydra's:
  key=value, a.b=value      change a value
  +key=value                add to an open map
  ~key                      remove
  -m key=1,2                one search for each
  --cfg job                 print the composed config and stop
  --info searchpath         where the config files come from
  --hydra-help              all the rest

Examples:
  python -m autocompress search=ads
  python -m autocompress search=ads data=kuairand data.root=DIR
  python -m autocompress study.n_trials=200 constraints.auc_drop=0.002
  python -m autocompress search=ads 'search_spaces=[channels,rows]'
  mlflow ui                                     compare the runs
  optuna-dashboard sqlite:///autocompress.db    watch the study

Tab completion: eval "$(autocompress -sc install=bash)"
Environment: AUTOCOMPRESS_DEBUG=1 shows the traceback of an error in the input.
Exit status: 0, 2 for an error in the input, 130 after Ctrl-C (the front so far
is kept)."""

_SEARCH = """\
usage: python -m autocompress [search] [overrides]

Trains (or finds) the teacher, searches compressed students of it, and writes
the front to outputs/STUDY/: front.json, front.csv, front.html, artefacts/.
The same command again resumes; larger study.n_trials or study.minutes extend.

Config groups:
{groups}

  python -m autocompress search=ads
  python -m autocompress search=ads --cfg job             what would run
  python -m autocompress -m search=ads study.seed=0,1,2   three studies"""

_ROWS = """\
usage: python -m autocompress rows [overrides] [split=test] output=F.parquet

Writes the rows of one split after joins and cleaning and before encoding, with
their labels. The overrides are those of the search.

  split=NAME    train, valid or test (default test)
  output=FILE   the Parquet file to write

  python -m autocompress rows search=ads split=test output=test.parquet"""

_PREDICT = """\
usage: python -m autocompress predict artefact=DIR input=FILE output=FILE

Scores rows with one artefact. Row count and order are kept; the output has one
column per task, named by the task. Labels may be absent, unknown ids are
allowed. Reads the bundle alone.

  artefact=DIR   a folder outputs/STUDY/artefacts/DIGEST
  input=FILE     Parquet, columns as `rows` writes them
  output=FILE    the Parquet file to write

  python -m autocompress predict artefact=DIR input=i.parquet output=o.parquet"""

_MEASURE = """\
usage: python -m autocompress measure artefact=DIR

Measures bytes and latency of one artefact again, on this machine, and stores
the result beside it. Reads the bundle alone.

  artefact=DIR   a folder outputs/STUDY/artefacts/DIGEST

  python -m autocompress measure artefact=outputs/STUDY/artefacts/DIGEST"""

_TEXTS = {None: _MAIN, "search": _SEARCH, "rows": _ROWS, "predict": _PREDICT, "measure": _MEASURE}


def help_text(subcommand: str | None) -> str:
    """Return the help of one subcommand, or the whole program's for None, with the options found on disk."""
    subcommands = "\n".join(f"  {name:<10}{meaning}" for name, meaning in SUBCOMMANDS.items())
    listed = {"subcommands": subcommands, "groups": _group_lines()} if subcommand in (None, "search") else {}
    return _TEXTS[subcommand].format(**listed)


def _group_lines() -> str:
    return "\n".join(
        textwrap.fill(", ".join(options), 78, initial_indent=f"  {name:<15}", subsequent_indent=" " * 17)
        for name, options in groups().items()
    )
