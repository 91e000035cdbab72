"""Encoders of statements, `clip` and `bert`, and the tokenizer that goes with them.

Without a folder both are small and start from random weights, with a byte-level BPE vocabulary
trained on the corpus: its words are few. Nothing is ever fetched from a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from overread.errors import UsageError

WIDTH: Final = 256
LAYERS: Final = 4
HEADS: Final = 4
#: Tokens of a text; what goes beyond is cut.
POSITIONS: Final = 256

_PAD, _END, _START = range(3)
_SPECIAL: Final = ("<pad>", "<end>", "<start>")
_VOCABULARY: Final = 4000
#: A word becomes a token of its own from so many ECGs on: a rare one may be a name.
_ECGS: Final = 11
_AT_ONCE: Final = 1 << 14  # texts


class TextTower(nn.Module):
    """Token numbers (m, l), padded, to (m, ``features``).

    ``clip`` reads from left to right and stands for a text by its end token (Radford et al. 2021);
    ``bert`` reads both ways and takes the mean over the tokens (Reimers and Gurevych 2019).
    ``config`` is that of transformers, as a dict.
    """

    def __init__(self, kind: str, config: dict[str, Any]) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel, CLIPTextConfig, CLIPTextModel

        self.model: nn.Module
        if kind == "clip":
            self.model = CLIPTextModel(CLIPTextConfig(**config))
        else:
            self.model = BertModel(BertConfig(**config), add_pooling_layer=False)
        self.kind = kind
        self.features: int = config["hidden_size"]
        self.pad: int = config["pad_token_id"]

    def forward(self, tokens: Tensor) -> Tensor:
        if self.kind == "clip":
            # Padding comes after the end token, which sees only what stands before it.
            return self.model(tokens).pooler_output  # type: ignore[no-any-return]
        real = tokens != self.pad
        # Given as (m, 1, l, l) it is used as it is; transformers would ask the device about it.
        mask = real[:, None, None, :].expand(-1, 1, tokens.shape[1], -1)
        hidden = self.model(tokens, attention_mask=mask).last_hidden_state
        return (hidden * real[..., None]).sum(1) / real.sum(1, keepdim=True)  # type: ignore[no-any-return]


def small_config(kind: str, tokenizer: str) -> dict[str, Any]:
    """The config of the towers that start from random weights; no dropout."""
    from tokenizers import Tokenizer

    config: dict[str, Any] = {
        "vocab_size": Tokenizer.from_str(tokenizer).get_vocab_size(),
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": _PAD,
        "eos_token_id": _END,
        "bos_token_id": _START,
    }
    if kind == "bert":
        config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return config


def train_tokenizer(texts: Sequence[str], ecgs: Sequence[int]) -> str:
    """A byte-level BPE vocabulary of the texts as ``tokenizer.json``; ``ecgs`` hold each of them.

    Every text can be written in it. The same texts give the same tokenizer.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    def weighted() -> Iterator[str]:
        for text, count in zip(texts, ecgs, strict=True):
            yield from [text] * min(int(count), _ECGS)

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=_ECGS,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(weighted(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", _START), ("<end>", _END)]
    )
    return str(tokenizer.to_str())


def tokenize(tokenizer: str, texts: Sequence[str], config: dict[str, Any]) -> npt.NDArray[np.int32]:
    """Token numbers of each text, (m, l) padded to the longest; the config says how long at most.

    >>> tokenizer = train_tokenizer(["lvh"], [11])
    >>> tokenize(tokenizer, ["lvh", "lvh lvh"], small_config("clip", tokenizer)).shape
    (2, 4)
    """
    from tokenizers import Tokenizer

    coder = Tokenizer.from_str(tokenizer)
    coder.no_padding()
    coder.enable_truncation(config["max_position_embeddings"])
    flat, lengths = [np.empty(0, np.int32)], []
    for first in range(0, len(texts), _AT_ONCE):
        coded = [each.ids for each in coder.encode_batch(list(texts[first : first + _AT_ONCE]))]
        flat.append(np.concatenate(coded, dtype=np.int32, casting="unsafe"))
        lengths += [len(each) for each in coded]
    real = np.arange(max(lengths, default=1)) < np.array(lengths, np.int64)[:, None]
    out = np.full(real.shape, config["pad_token_id"], np.int32)
    out[real] = np.concatenate(flat)
    return out


def from_folder(kind: str, folder: Path) -> tuple[TextTower, dict[str, Any], str]:
    """Tower, config and ``tokenizer.json`` of a folder as transformers saves it.

    Raises ``UsageError`` where the folder has no tokenizer, config or weights of that kind.
    """
    from transformers import AutoTokenizer, BertModel, CLIPTextModel

    if not folder.is_dir():
        raise UsageError(f"text_folder {folder} is no folder. Next step: give one with a model.")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        coder = AutoTokenizer.from_pretrained(folder, **local).backend_tokenizer.to_str()
        model = (
            CLIPTextModel.from_pretrained(folder, local_files_only=True)
            if kind == "clip"
            else BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(
            f"text_folder {folder.name} holds no {kind} text encoder that can be read "
            f"({type(error).__name__}). Next step: save tokenizer, config and weights there with "
            "save_pretrained, or leave text_folder out."
        ) from None
    config = model.config.to_dict()
    del config["_name_or_path"]  # where the folder lies is nobody's business
    tower = TextTower(kind, config)
    tower.model.load_state_dict(model.state_dict())
    return tower, config, str(coder)
