"""A compiled dense part: only where it pays, and with the results of a plain one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from autocompress.compress.plan import Recovery
from autocompress.data.cleaning import Cleaning
from autocompress.data.sources.ads_simulator import AdsSimulator
from autocompress.data.store import prepare
from autocompress.models.dcnv2 import DCNv2Shape
from autocompress.models.recommender import build
from autocompress.training.compiling import REPAID, compiler_there, worth_compiling
from autocompress.training.fit import FRESH, fit, predict_logits


def test_a_short_training_is_not_compiled() -> None:
    assert not worth_compiling(REPAID - 1)


def test_without_a_compiler_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not worth_compiling(REPAID)
    compiler = tmp_path / "g++"
    compiler.write_text("")
    compiler.chmod(0o755)
    assert worth_compiling(REPAID)


# torch 2.13's compiler imports torch.utils.mkldnn, which is written with what torch 2.13 deprecates
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
# torch._dynamo looks at .grad of what it is given, embedded rows among them
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.skipif(not compiler_there(), reason="there is no C++ compiler")
def test_a_compiled_training_learns_what_a_plain_one_does(tmp_path: Path) -> None:
    dataset = prepare(AdsSimulator(rows=3000), Cleaning(), tmp_path)
    logits = {}
    for compiled in (False, True):
        shape = DCNv2Shape(embedding_dim=4, cross_layers=1, tower=(8,))
        # the same seed before both: equal first weights
        torch.manual_seed(0)
        model = build(shape, dataset.schema, dataset.encoder.rows)
        recovery = Recovery(epochs=1, batch_size=256)
        fit(model, dataset, recovery, taught=None, seed=0, accumulator=FRESH, compiled=compiled)
        logits[compiled] = predict_logits(model, dataset.inputs("test"))
    np.testing.assert_allclose(logits[True], logits[False], atol=1e-4)
