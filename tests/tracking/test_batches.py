import re

from hypothesis import given
from hypothesis import strategies as st

from autocompress.tracking.batches import flat, run_name, safe_name


@given(st.text(max_size=300))
def test_every_name_becomes_one_that_mlflow_takes(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[/\w.\- :]{1,250}", name)
    assert not name.startswith("/")
    assert ".." not in name.split("/")


def test_lists_of_stages_get_a_name_each_and_lists_of_numbers_stay_one_value() -> None:
    assert flat({"a": [{"b": 1}, {"b": None}], "c": [1, 2], "d": {}}) == {"a.0.b": "1", "a.1.b": "none", "c": "[1, 2]"}


def test_a_long_run_name_is_cut_where_a_list_can_show_it() -> None:
    assert run_name("short") == "short"
    assert len(run_name("x" * 500)) == 120
