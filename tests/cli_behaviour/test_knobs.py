import pytest

from autocompress.config.compose import compose
from autocompress.errors import UserError


def test_a_list_replaces_a_range_and_a_range_a_list() -> None:
    (config,) = compose(["search_spaces.rows.keep=[0.1,0.5]", "search_spaces.student.embedding_dim={low: 4, high: 16}"])
    assert config.model_dump(mode="json")["search_spaces"]["rows"]["keep"] == [0.1, 0.5]
    assert config.model_dump(mode="json")["search_spaces"]["student"]["embedding_dim"]["high"] == 16


def test_a_list_in_place_of_a_range_may_be_swept() -> None:
    configs = compose(["-m", "search_spaces.rows.keep=[0.1],[0.2]"])
    assert [config.search_spaces["rows"]["keep"] for config in configs] == [[0.1], [0.2]]


@pytest.mark.parametrize("choices", ["[2]", "[]"])
def test_a_choice_that_no_method_knows_is_named_with_its_knob(choices: str) -> None:
    with pytest.raises(UserError, match=r"^search_spaces\.rows\.keep"):
        compose([f"search_spaces.rows.keep={choices}"])
