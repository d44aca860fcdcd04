"""The tools over Dask, on two real worker processes, answer like the tools alone; one that is killed loses nothing."""

import numpy as np
import psutil
import pytest
import scipy.sparse as sp

from kexue_nlp.code_search import InvertedIndex
from kexue_nlp.hashing import BATCH, LSH, BioHash, em_round
from kexue_nlp.segmenter import Segmenter

distributed = pytest.importorskip("distributed")
bag, array, scale = map(pytest.importorskip, ("dask.bag", "dask.array", "kexue_nlp.scale"))

TEXTS = ["扫描二维码", "", "南京市长江大桥欢迎您。", "3.5%的人"] * 5
X = np.random.default_rng(0).normal(size=(900, 12))
SPLIT = [sp.csr_array(part) for part in np.split(X, [500, 600])]


@pytest.fixture(scope="module", autouse=True)
def client():
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.filterwarnings("ignore:Sending large graph:UserWarning")  # a given segmenter is large
@pytest.mark.parametrize("segmenter", ["closed", Segmenter.load(lexicon={"长江大桥": "always"})], ids=["file", "given"])
def test_a_bag_is_segmented_like_its_texts(segmenter, client):
    alone = Segmenter.load(segmenter) if isinstance(segmenter, str) else segmenter
    texts = bag.from_sequence(TEXTS, npartitions=3)
    assert scale.segment(texts, segmenter).compute() == alone(TEXTS)
    loads = client.run(lambda: scale._loaded.cache_info().misses).values()
    assert set(loads) <= {0, 1}  # of a process
    with pytest.raises(TypeError, match="text 1 is NoneType None"):
        scale.segment(bag.from_sequence(["一", None], npartitions=1), segmenter).compute()
    with pytest.raises(TypeError, match=r"Bag or Series .* got list"):
        scale.segment(TEXTS)


@pytest.mark.parametrize(
    "data", [array.from_array(X, chunks=(400, 12)), bag.from_sequence(SPLIT, npartitions=2)], ids=["array", "bag"]
)
def test_em_codes_and_search_are_those_of_all_partitions_together(data):
    alone = BioHash(16, 4, random_state=0).fit(X)
    spread = scale.fit(BioHash(16, 4, random_state=0), data)
    np.testing.assert_allclose(spread.components_, alone.components_, atol=1e-12)
    np.testing.assert_allclose(spread.objectives_, alone.objectives_)
    np.testing.assert_array_equal(spread.counts_, alone.counts_)
    assert (spread.n_iter_, spread.n_features_in_) == (alone.n_iter_, 12)
    codes, expected = scale.transform(alone, data), alone.transform(X)
    found = codes.compute()
    assert ((sp.vstack(found) if isinstance(found, list) else found) != expected).nnz == 0
    found = scale.IndexShards(codes).search(expected[:9], 700)  # more than any shard has
    np.testing.assert_array_equal(found, InvertedIndex(expected).search(expected[:9], 700))


def test_many_partitions_are_added_up_and_start_from_a_sample():
    many = np.repeat(X, 6, axis=0) + np.random.default_rng(1).normal(size=(5400, 12))
    assert len(many) > BATCH
    data = array.from_array(many, chunks=(200, 12)).persist()
    before, after = (scale.fit(BioHash(16, 4, random_state=0, max_iter=n, tol=0), data) for n in (2, 3))
    units, objective, counts = em_round(many, before.components_)
    np.testing.assert_allclose(after.components_, units, atol=1e-12)
    np.testing.assert_allclose([after.objectives_[-1], *after.counts_], [objective, *counts])


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    flag = tmp_path / "killed"

    def killed_once(block):
        if not flag.exists():
            flag.touch()
            psutil.Process().kill()  # as a machine that fails
        return block

    data = bag.from_sequence(SPLIT, npartitions=3).map(killed_once)
    spread = scale.fit(BioHash(16, 4, random_state=0, max_iter=3), data)
    assert flag.exists()
    np.testing.assert_allclose(spread.components_, BioHash(16, 4, random_state=0, max_iter=3).fit(X).components_)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: scale.fit(BioHash(training="local"), array.ones((9, 2))), ValueError, "training='em'"),
        (lambda: scale.fit(BioHash(4), array.ones((9, 4), chunks=(9, 2))), TypeError, "whole rows"),
        (lambda: scale.fit(BioHash(4), array.from_array(X * np.nan, chunks=(400, 12))), ValueError, "NaN"),
        (lambda: scale.fit(BioHash(4), bag.from_sequence([1, 2]).filter(lambda x: False)), ValueError, "no matrix"),
        (lambda: scale.IndexShards(array.eye(4, dtype=int)).search([[1, 0, 0, 0]], 5), ValueError, "at most 4"),
        (lambda: scale.transform(LSH(4).fit(X), X), TypeError, "whole rows"),
    ],
)
def test_what_cannot_be_spread_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
