"""Text encoders and the tokenizer trained on the corpus."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from overread.errors import UsageError  # noqa: E402
from overread.train.text_tower import (  # noqa: E402
    POSITIONS,
    TextTower,
    from_folder,
    small_config,
    tokenize,
    train_tokenizer,
)

TEXTS = ["sinus rhythm", "left ventricular hypertrophy", "atrial fibrillation", "vänster grenblock"]
KINDS = pytest.mark.parametrize("kind", ["clip", "bert"])


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, [40, 30, 20, 11])


def encoded(tower, tokens):
    with torch.no_grad():
        return tower.eval()(torch.from_numpy(tokens).long())


def made(kind, tokenizer):
    torch.manual_seed(0)
    return TextTower(kind, small_config(kind, tokenizer))


def test_any_text_can_be_written_and_read_back(tokenizer):
    from tokenizers import Tokenizer

    coder = Tokenizer.from_str(tokenizer)
    for text in [*TEXTS, "no such word", "心房細動"]:
        numbers = tokenize(tokenizer, [text], small_config("clip", tokenizer))[0]
        assert coder.decode(numbers.tolist()).strip() == text
        assert numbers[0] == coder.token_to_id("<start>")
        assert numbers[-1] == coder.token_to_id("<end>")


def test_words_of_the_corpus_are_one_token_each(tokenizer):
    assert tokenize(tokenizer, ["sinus rhythm"], small_config("clip", tokenizer)).shape == (1, 4)


def test_words_of_fewer_than_11_ecgs_become_no_token():
    vocabulary = json.loads(train_tokenizer(["sinus", "mrsmith"], [11, 10]))["model"]["vocab"]
    letters = [token.strip("Ġ") for token in vocabulary]
    assert "sinus" in letters
    assert not [token for token in letters if len(token) > 1 and token in "mrsmith"]


def test_the_tokenizer_is_the_same_in_every_process(tokenizer):
    program = (
        "import sys; from overread.train.text_tower import train_tokenizer;"
        f"sys.stdout.write(train_tokenizer({TEXTS!r}, [40, 30, 20, 11]))"
    )
    again = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert again.stdout == tokenizer


def test_texts_are_padded_to_the_longest_and_cut_at_the_last_position(tokenizer):
    config = small_config("clip", tokenizer)
    tokens = tokenize(tokenizer, ["sinus rhythm", "sinus " * 999], config)
    assert tokens.shape == (2, POSITIONS)
    assert (tokens[0, 4:] == config["pad_token_id"]).all()
    assert tokens[1, -1] == config["eos_token_id"]


@KINDS
def test_padding_and_neighbours_do_not_change_a_text(kind, tokenizer):
    tower = made(kind, tokenizer)
    tokens = tokenize(tokenizer, TEXTS, tower.model.config.to_dict())
    together = encoded(tower, np.pad(tokens, ((0, 0), (0, 9)), constant_values=tower.pad))
    for text, row in zip(TEXTS, together, strict=True):
        alone = encoded(tower, tokenize(tokenizer, [text], tower.model.config.to_dict()))[0]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-5)


@KINDS
def test_pooling_is_the_end_token_or_the_mean(kind, tokenizer):
    tower = made(kind, tokenizer)
    tokens = torch.from_numpy(tokenize(tokenizer, ["sinus rhythm"], tower.model.config.to_dict()))
    with torch.no_grad():
        hidden = tower.eval().model(tokens.long()).last_hidden_state[0]
    expected = hidden[-1] if kind == "clip" else hidden.mean(0)
    torch.testing.assert_close(encoded(tower, tokens.numpy())[0], expected)


@KINDS
def test_every_weight_learns(kind, tokenizer):
    tower = made(kind, tokenizer)
    tokens = tokenize(tokenizer, TEXTS, tower.model.config.to_dict())
    tower(torch.from_numpy(tokens).long()).square().sum().backward()
    assert [name for name, each in tower.named_parameters() if each.grad is None] == []


@KINDS
def test_a_tower_is_made_again_from_its_config(kind, tokenizer):
    tower = made(kind, tokenizer)
    config = json.loads(json.dumps(small_config(kind, tokenizer)))
    again = TextTower(kind, config)
    again.load_state_dict(tower.state_dict())
    tokens = tokenize(tokenizer, TEXTS, config)
    assert torch.equal(encoded(again, tokens), encoded(tower, tokens))


@KINDS
def test_tokenizer_and_weights_of_a_local_folder(kind, tokenizer, tmp_path):
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    tower = made(kind, tokenizer)
    tower.model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer), pad_token="<pad>"
    ).save_pretrained(tmp_path)
    loaded, config, text = from_folder(kind, tmp_path)
    assert str(tmp_path) not in json.dumps(config)
    tokens = tokenize(text, TEXTS, config)
    np.testing.assert_array_equal(tokens, tokenize(tokenizer, TEXTS, config))
    assert torch.equal(encoded(loaded, tokens), encoded(tower, tokens))
    # What a model file keeps is enough to build it again.
    again = TextTower(kind, json.loads(json.dumps(config)))
    again.load_state_dict(loaded.state_dict())
    assert torch.equal(encoded(again, tokens), encoded(tower, tokens))


def test_a_folder_without_a_text_encoder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no clip text encoder"):
        from_folder("clip", tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        from_folder("clip", tmp_path / "missing")
