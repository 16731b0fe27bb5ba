"""Ali-CCP: samples joined with the features that they share, on small files in exactly the published form."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from autocompress.data.sources.ali_ccp import AliCcp
from autocompress.errors import UserError


def features(**ids: str) -> str:
    return "\x01".join(f"{name.removeprefix('f_')}\x02{value}\x031.0" for name, value in ids.items())


SKELETON = (
    f"1,1,1,u1,2,{features(f_205='5', f_301='9')}\n"
    f"2,1,0,u2,1,{features(f_205='6')}\n"
    f"3,0,0,u1,2,{features(f_508='8', f_205='7')}\n"
)
COMMON = f"u1,3,{features(f_101='11', f_109_14='71')}\x01109_14\x0272\x030.5\nu2,1,{features(f_101='12')}\n"


def ali_ccp(folder: Path, skeleton: str = SKELETON, packed: bool = False) -> AliCcp:
    for part in ("train", "test"):
        for name, text in ((f"sample_skeleton_{part}.csv", skeleton), (f"common_features_{part}.csv", COMMON)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
            else:
                (folder / name).write_text(text)
    return AliCcp(root=folder, valid=0.5)


@pytest.mark.parametrize("packed", [False, True])
def test_a_sample_has_its_own_features_and_those_of_its_user(tmp_path: Path, packed: bool) -> None:
    frame = pl.concat(ali_ccp(tmp_path, packed=packed).chunks())
    assert frame.height == 6
    test = frame.filter(pl.col("split") == "test")
    assert test.select("click", "conversion").rows() == [(1, 1), (1, 0), (0, 0)]
    assert test["f_205"].to_list() == ["5", "6", "7"]
    assert test["f_301"].to_list() == ["9", None, None]
    assert test["f_508"].to_list() == [None, None, "8"]
    assert test["f_101"].to_list() == ["11", "12", "11"]
    assert test["f_109_14"].to_list() == ["71", None, "71"]


def test_a_field_is_not_found_inside_the_name_of_another(tmp_path: Path) -> None:
    skeleton = f"1,1,0,u1,1,{features(f_1205='4')}\n"
    frame = pl.concat(ali_ccp(tmp_path, skeleton).chunks())
    assert frame["f_205"].null_count() == frame.height


def test_validation_rows_are_drawn_from_the_training_file(tmp_path: Path) -> None:
    frame = pl.concat(ali_ccp(tmp_path, SKELETON * 300).chunks())
    counts = dict(frame["split"].value_counts().iter_rows())
    assert counts["test"] == 900
    assert counts["valid"] / 900 == pytest.approx(0.5, abs=0.06)


def test_a_label_that_is_none_is_named_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"sample_skeleton_train\.csv has '2' in column 'click', row 2: allowed are 0 and 1"
    ):
        list(ali_ccp(tmp_path, SKELETON.replace("2,1,0", "2,2,0")).chunks())


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path) -> None:
    ali_ccp(tmp_path)
    (tmp_path / "common_features_test.csv").unlink()
    with pytest.raises(UserError, match=r"no file common_features_test\.csv .*tianchi\.aliyun\.com"):
        AliCcp(root=tmp_path).content_digest()


def test_without_a_root_a_person_has_to_fetch_it() -> None:
    with pytest.raises(UserError, match=r"data\.root is not set.*login"):
        AliCcp().content_digest()
